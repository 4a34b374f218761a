"""ScoreGrid: the logits of every cell of a frames x depth grid, under one frame order.

One network with a head on every cell gives it; the exit scores of any placement are then a lookup.

Shapes: S frame sets, M depth stages, N videos, K classes, E exits.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dynsearch.errors import PlanError, within
from dynsearch.plan import Exit, ExitPlacement
from dynsearch.scores import grid_validation, validation
from dynsearch.scores.confidence import DEFAULT_MEASURE, confidence_from_logits
from dynsearch.scores.exit_scores import ExitScores, read_only
from dynsearch.scores.grid_files import DEFAULT_MAX_BYTES, GridWriter, create_grid, read_grid
from dynsearch.scores.grid_steps import checked_steps, loaded_steps, stored_steps
from dynsearch.scores.labels import first_choice_is_label
from dynsearch.scores.step_costs import StepCosts


@dataclass(frozen=True, eq=False, kw_only=True)
class ScoreGrid:
    """What the head of every grid cell said about every held-out video, and what the cells cost.

    The cell of row s and column m has seen s + 1 frame sets and ``first_depth`` + m stages. Arrays are made
    read-only, not copied; a memory-mapped ``logits_SMNK`` is read cell by cell.

    Args:
        logits_SMNK: Finite logits, float16 or float32.
        labels_N: Class numbers (N,), or for multi-label data 0/1 (N, K).
        steps: What it costs a video to go from one cell to the next, as ``RectangleSteps`` or ``StepTable``.
        first_depth: Depth stage of column 0, counted from 1: shallower stages have no exits.
        video_ids_N: A name for each video.
        split: ``calibration``, ``test``, or another name.
        order: The frame order the grid was scored under.

    Raises:
        ScoresError: An array disagrees with another one, or holds impossible values.
    """

    logits_SMNK: NDArray[Any]
    labels_N: NDArray[Any]
    steps: StepCosts
    first_depth: int = 1
    video_ids_N: NDArray[np.str_] | None = None
    split: str = ""
    order: str = ""
    _computed: dict[str, NDArray[Any]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        logits = grid_validation.checked_logits(self.logits_SMNK)
        object.__setattr__(self, "steps", checked_steps(self.steps, logits.shape[:2]))
        labels = grid_validation.checked_labels(self.labels_N, *logits.shape[2:])
        object.__setattr__(self, "first_depth", grid_validation.checked_first_depth(self.first_depth))
        for name, array in (("logits_SMNK", logits), ("labels_N", labels)):
            object.__setattr__(self, name, read_only(array))
        if self.video_ids_N is not None:
            ids = grid_validation.checked_ids(self.video_ids_N, logits.shape[2])
            object.__setattr__(self, "video_ids_N", read_only(ids))
        for name in ("split", "order"):
            object.__setattr__(self, name, validation.one_text(name, getattr(self, name)))

    @property
    def num_sets(self) -> int:
        """S, the number of frame sets."""
        return int(self.logits_SMNK.shape[0])

    @property
    def num_depths(self) -> int:
        """M, the number of depth stages that have heads."""
        return int(self.logits_SMNK.shape[1])

    @property
    def num_videos(self) -> int:
        """N, the number of videos."""
        return int(self.logits_SMNK.shape[2])

    @property
    def last(self) -> Exit:
        """The cell that has seen all sets and stages."""
        return Exit(self.num_sets, self.first_depth + self.num_depths - 1)

    def cost_E(self, placement: ExitPlacement) -> NDArray[np.float64]:
        """Return (E,) the cumulative cost at each exit: the sum of the steps that lead there.

        Raises:
            PlanError: An exit lies outside the grid, or no step of the grid leads to it from the one before.
        """
        cells = [self.number(exit_) for exit_ in placement.exits]
        for exit_, before, cell in zip(placement.exits, (-1, *cells), cells, strict=False):
            if not self.steps.allowed[before + 1, cell]:
                raise PlanError(f"the score grid has no cost for the step to the exit {exit_}", where="exits")
        return self.steps.cost_E(cells)

    def number(self, exit_: Exit) -> int:
        """Return the number of an exit's cell, by sets and then depth, from 0; PlanError if it lies outside."""
        row, column = self.cell(exit_)
        return row * self.num_depths + column

    def cell(self, exit_: Exit) -> tuple[int, int]:
        """Return the row and column of an exit; PlanError where it lies outside the grid."""
        row, column = exit_.sets - 1, exit_.depth - self.first_depth
        if row >= self.num_sets or not 0 <= column < self.num_depths:
            raise PlanError(
                f"the exit {exit_} lies outside the score grid, which has"
                f" {Exit(1, self.first_depth)} to {self.last}",
                where="exits",
            )
        return row, column

    def exit_scores(self, placement: ExitPlacement, *, plan_id: str = "") -> ExitScores:
        """Return what a network with these exits says, and what they cost; PlanError if one lies outside."""
        cells = [self.cell(exit_) for exit_ in placement.exits]
        return ExitScores(
            cost_E=self.cost_E(placement),
            measure=self.steps.measure,
            logits_ENK=np.stack([self.logits_SMNK[cell].astype(np.float32, copy=False) for cell in cells]),
            labels_N=self.labels_N,
            video_ids_N=self.video_ids_N,
            plan_id=plan_id,
            split=self.split,
        )

    def reduced_scores(
        self, placement: ExitPlacement, measure: str = DEFAULT_MEASURE, *, plan_id: str = ""
    ) -> ExitScores:
        """Return the same without logits and labels: one measure as the given column, and what is right.

        Raises:
            PlanError: An exit lies outside the grid.
            ScoresError: There is no such measure.
        """
        rows, columns = zip(*map(self.cell, placement.exits), strict=True)
        return ExitScores(
            cost_E=self.cost_E(placement),
            measure=self.steps.measure,
            confidence_EN=self.confidence(measure)[rows, columns],
            correct_EN=self.correct()[rows, columns],
            video_ids_N=self.video_ids_N,
            plan_id=plan_id,
            split=self.split,
        )

    def select(self, videos: NDArray[Any]) -> ScoreGrid:
        """Return the grid of some videos, in memory, by an index array or a mask over N."""
        return replace(
            self,
            logits_SMNK=np.asarray(self.logits_SMNK)[:, :, videos],
            labels_N=self.labels_N[videos],
            video_ids_N=None if self.video_ids_N is None else self.video_ids_N[videos],
        )

    def confidence(self, measure: str = DEFAULT_MEASURE) -> NDArray[np.float64]:
        """Return (S, M, N): how sure each cell is, float64, higher is surer.

        ``patience`` depends on the exits before, so it is no property of a cell.

        Raises:
            ScoresError: There is no such measure in ``CONFIDENCE_MEASURES``.
        """
        if measure not in self._computed:
            values = [confidence_from_logits(measure, self.logits_SMNK[cell]) for cell in self._all_cells()]
            self._computed[measure] = self._by_cell(values)
        return self._computed[measure]

    def correct(self) -> NDArray[np.bool_]:
        """Return (S, M, N): whether the first choice of each cell is a label of the video."""
        if "correct" not in self._computed:
            values = [
                first_choice_is_label(self.logits_SMNK[cell], self.labels_N) for cell in self._all_cells()
            ]
            self._computed["correct"] = self._by_cell(values)
        return self._computed["correct"]

    @classmethod
    def create(
        cls,
        folder: str | os.PathLike[str],
        *,
        num_classes: int,
        labels_N: ArrayLike,
        steps: StepCosts,
        num_sets: int,
        num_depths: int,
        first_depth: int = 1,
        video_ids_N: ArrayLike | None = None,
        split: str = "",
        order: str = "",
        source: str = "",
        dtype: str = "float16",
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> GridWriter:
        """Return a writer that is given the logits chunk by chunk; most arguments are those of the class.

        A writer for the same grid goes on where an interrupted one ended; for another grid it starts anew. ``source``
        is what makes the logits, for instance a digest of the weights: a grid of another source is another grid.
        ``dtype`` is ``float16`` or ``float32``, as the logits are kept.

        Raises:
            ScoresError: An array is impossible, or the grid is larger than ``max_bytes`` or the free space.
        """
        shape = (num_sets, num_depths)
        in_header, arrays = stored_steps(checked_steps(steps, shape), shape)
        labels = np.asarray(labels_N)
        header: dict[str, Any] = {
            "first_depth": grid_validation.checked_first_depth(first_depth),
            "split": split,
            "order": order,
            "source": source,
            "dtype": grid_validation.checked_dtype(dtype),
            "shape": [*shape, len(labels), num_classes],
            **in_header,
        }
        arrays["labels"] = grid_validation.checked_labels(labels, len(labels), num_classes)
        if video_ids_N is not None:
            arrays["video_ids"] = grid_validation.checked_ids(video_ids_N, len(labels))
        return create_grid(Path(folder), header, arrays, max_bytes)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> ScoreGrid:
        """Open a finished grid; the logits are memory-mapped, and nothing in it is executed.

        Raises:
            ScoresError: The folder holds no finished grid, or one that contradicts itself.
        """
        header, arrays = read_grid(Path(folder))
        with within(folder):
            return cls(
                logits_SMNK=arrays["logits"],
                labels_N=arrays["labels"],
                video_ids_N=arrays.get("video_ids"),
                steps=loaded_steps(header, arrays, arrays["logits"].shape[:2]),
                first_depth=header["first_depth"],
                split=header["split"],
                order=header["order"],
            )

    def _all_cells(self) -> list[tuple[int, int]]:
        return list(np.ndindex(self.num_sets, self.num_depths))

    def _by_cell(self, values: list[NDArray[Any]]) -> NDArray[Any]:
        shape = (self.num_sets, self.num_depths, self.num_videos)
        return read_only(np.stack(values).reshape(shape))
