"""The cells of a score grid that exits may sit on, and the rules for placements on them.

Shapes: C cells, N videos, P = bins + 1 positions of a threshold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import InputError
from dynsearch.plan import Exit, ExitPlacement
from dynsearch.scores import ScoreGrid
from dynsearch.scores.step_costs import StepCosts
from dynsearch.thresholds.direct.bins import Bins, bin_confidences


class Chain(NamedTuple):
    """A placement, the cell of each exit, and the position of each threshold: a video stops where its bin is above."""

    cells: tuple[int, ...]
    positions: tuple[int, ...]


@dataclass(frozen=True)
class Rules:
    """Which placements may be proposed; see :func:`dynsearch.frontier.placements.search_placements`.

    Raises:
        InputError: A number is out of range, or ``last`` is unknown.
    """

    min_exits: int = 1
    max_exits: int = 6
    min_depth: int = 1
    max_depth: int | None = None
    last: Literal["full", "free"] = "full"

    def __post_init__(self) -> None:
        if not 1 <= self.min_exits <= self.max_exits:
            raise InputError(
                f"the number of exits must be within 1 <= min_exits <= max_exits, got {self.min_exits}"
                f" to {self.max_exits}"
            )
        if self.last not in ("full", "free"):
            raise InputError(f"last must be 'full' or 'free', got {self.last!r}")

    def exits_of(self, grid: ScoreGrid) -> tuple[Exit, ...]:
        """Return the cells that exits may sit on, by sets and then depth; InputError where there is none."""
        deepest = grid.last.depth if self.max_depth is None else min(self.max_depth, grid.last.depth)
        depths = range(max(self.min_depth, grid.first_depth), deepest + 1)
        exits = tuple(Exit(sets + 1, depth) for sets in range(grid.num_sets) for depth in depths)
        if not exits:
            raise InputError(
                f"no cell of the grid has a depth in {self.min_depth}..{self.max_depth or grid.last.depth};"
                f" it has {grid.first_depth}..{grid.last.depth}"
            )
        if len(depths) + grid.num_sets - 1 < self.min_exits:
            raise InputError(
                f"a placement on {grid.num_sets} sets x {len(depths)} depths has at most"
                f" {len(depths) + grid.num_sets - 1} exits, not {self.min_exits}"
            )
        return exits


@dataclass(frozen=True, eq=False)
class Cells:
    """All that a search needs to know of the cells.

    Args:
        exits: Where each of the C cells is, by sets and then depth.
        bins: Bin numbers of each cell's confidences, (C, N), and the thresholds between them.
        correct_CN: Whether each cell is right.
        steps: What it costs to go from one of them to the next.
        rules: Which placements count.
    """

    exits: tuple[Exit, ...]
    bins: Bins
    correct_CN: NDArray[np.bool_]
    steps: StepCosts
    rules: Rules

    @classmethod
    def of(
        cls,
        grid: ScoreGrid,
        rules: Rules,
        measure: str,
        max_bins: int,
        videos: NDArray[np.intp] | None = None,
    ) -> Cells:
        """Return the cells of ``grid``, for some of the videos or all, that the rules allow.

        Raises:
            InputError: The rules allow no placement, or there is no such measure.
        """
        exits = rules.exits_of(grid)
        rows, columns = (list(axis) for axis in zip(*map(grid.cell, exits), strict=True))
        chosen = slice(None) if videos is None else videos
        confidence_CN = grid.confidence(measure)[rows, columns][:, chosen]
        # The last row given is that of an exit that takes all: it has no bins.
        bins = bin_confidences(np.vstack([confidence_CN, confidence_CN[:1]]), max_bins)
        correct_CN = grid.correct()[rows, columns][:, chosen]
        steps = grid.steps.select([grid.number(exit_) for exit_ in exits])
        return cls(exits, bins, correct_CN, steps, rules)

    def select(self, videos: NDArray[np.intp]) -> Cells:
        """Return the same cells for some of the videos."""
        return replace(self, bins=self.bins.select(videos), correct_CN=self.correct_CN[:, videos])

    @property
    def num_videos(self) -> int:
        """N."""
        return self.correct_CN.shape[1]

    @property
    def num_positions(self) -> int:
        """P, how many positions a threshold has; at the last one no video stops."""
        return self.bins.num_bins + 1

    @cached_property
    def before_CC(self) -> NDArray[np.bool_]:
        """Whether the cell of a row may be an exit before that of a column."""
        sets_C, depth_C = (np.array([getattr(e, name) for e in self.exits]) for name in ("sets", "depth"))
        rises = (sets_C[:, None] <= sets_C) & (depth_C[:, None] <= depth_C)
        return np.asarray(rises & ~np.eye(len(self.exits), dtype=bool) & self.steps.allowed[1:])

    @cached_property
    def first_C(self) -> NDArray[np.bool_]:
        """Whether each cell may be the first exit."""
        return self.steps.allowed[0]

    @property
    def ends(self) -> Sequence[int]:
        """The cells that may be the last exit."""
        last = len(self.exits) - 1
        return [last] if self.rules.last == "full" else range(last + 1)

    @cached_property
    def key_CN(self) -> NDArray[Any]:
        """The place of each video in a histogram over (right there, bin)."""
        key = self.num_positions * self.correct_CN + self.bins.codes
        return key.astype(np.min_scalar_type(2 * self.num_positions))

    def between(self, low: int | None, high: int | None) -> NDArray[np.intp]:
        """Return the cells that may be an exit right after ``low`` (None: the first), and right before ``high``."""
        fits_C = self.first_C if low is None else self.before_CC[low]
        return np.flatnonzero(fits_C if high is None else fits_C & self.before_CC[:, high])

    def follows(self, low: int | None, high: int) -> bool:
        """Return whether ``high`` may be the exit right after ``low`` (None: the first)."""
        return bool(self.first_C[high] if low is None else self.before_CC[low, high])

    def chains_of(self, num_exits: int) -> Iterator[tuple[int, ...]]:
        """Yield the cells of every placement with ``num_exits`` exits that the rules allow."""

        def grown(cells: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
            if len(cells) == num_exits:
                if self.first_C[cells[0]]:
                    yield cells
                return
            for cell in np.flatnonzero(self.before_CC[:, cells[0]]):
                yield from grown((int(cell), *cells))

        for end in self.ends:
            yield from grown((end,))

    def placement(self, chain: Chain) -> ExitPlacement:
        """Return where a chain's exits sit."""
        return ExitPlacement(tuple(self.exits[cell] for cell in chain.cells))

    def thresholds(self, chain: Chain) -> tuple[float, ...]:
        """Return T_k of every exit of a chain."""
        tables = [self.bins.thresholds[cell] for cell in chain.cells[:-1]]
        inner = (float(t[min(p, len(t) - 1)]) for t, p in zip(tables, chain.positions, strict=True))
        return (*inner, -math.inf)
