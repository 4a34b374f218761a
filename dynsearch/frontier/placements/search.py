"""The search for exit placements and thresholds on one score grid, for all budgets at once.

The accuracy of the best of many placements is optimistic: it was the best partly by luck with these videos. What it
is worth on new ones is told by cross-fitting: placements and thresholds are chosen without a fold of the videos, for
the same budgets, and measured on it.

Shapes: N videos, B budgets.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import InputError
from dynsearch.frontier.placements.cells import Cells, Rules
from dynsearch.frontier.placements.chains import find_chains, measure_chains
from dynsearch.frontier.placements.points import Expected, PlacementFrontier, PlacementPoint
from dynsearch.scores import DEFAULT_MEASURE, ScoreGrid
from dynsearch.thresholds import OperatingPoint
from dynsearch.thresholds.direct.smoothing import BANDWIDTH
from dynsearch.thresholds.operating_point import measured

DEFAULT_MAX_BINS = 256


def search_placements(
    grid: ScoreGrid,
    *,
    min_exits: int = 2,
    max_exits: int = 6,
    min_depth: int = 1,
    max_depth: int | None = None,
    last: Literal["full", "free"] = "full",
    confidence: str = DEFAULT_MEASURE,
    smoothing: float = BANDWIDTH,
    max_bins: int = DEFAULT_MAX_BINS,
    num_folds: int | None = 2,
    seed: int = 0,
) -> PlacementFrontier:
    """Return the placements and thresholds that are near the best at every cost.

    Args:
        grid: Labelled scores of all cells, on videos that neither training nor testing touches.
        min_exits: Fewest exits.
        max_exits: Most exits.
        min_depth: The shallowest depth stage an exit may have.
        max_depth: The deepest; None is the grid's own.
        last: ``full``: the last exit has seen all sets and stages; ``free``: it may sit anywhere.
        confidence: The confidence measure.
        smoothing: Bandwidth at 500 videos as a share of the confidence ranks; 0 fits the videos as they are,
            exactly where all placements with all thresholds can be tried.
        max_bins: Most thresholds tried at an exit.
        num_folds: Parts of the videos for the estimate on new videos (``PlacementPoint.expected``), which takes
            a search for each; None for no estimate.
        seed: Of the split into folds.

    Raises:
        InputError: The rules allow no placement, or an argument is out of range.
        ScoresError: There is no such measure.
    """
    if not smoothing >= 0:
        raise InputError(f"smoothing must be 0 or more, got {smoothing}")
    if max_bins < 2:
        raise InputError(f"max_bins must be at least 2, got {max_bins}")
    if num_folds is not None:
        _check_folds(num_folds, grid.num_videos)
    rules = Rules(min_exits, max_exits, min_depth, max_depth, last)
    settings = _Settings(rules, confidence, smoothing, max_bins)
    found = _find_points(grid, settings)
    if num_folds is None:
        return found
    budgets = [point.cost for point in found]
    expected = _expect(grid, settings, budgets, num_folds=num_folds, seed=seed)
    return PlacementFrontier(
        [replace(point, expected=value) for point, value in zip(found, expected, strict=True)], grid.order
    )


@dataclass(frozen=True)
class _Settings:
    """How a search is done; see ``search_placements``."""

    rules: Rules
    confidence: str
    smoothing: float
    max_bins: int


def _find_points(
    grid: ScoreGrid, settings: _Settings, videos: NDArray[np.intp] | None = None
) -> PlacementFrontier:
    """Return the frontier of one search on some of the videos, or all, without estimates on new videos."""
    cells = Cells.of(grid, settings.rules, settings.confidence, settings.max_bins, videos)
    chains = find_chains(cells, settings.smoothing)
    if not chains:
        raise InputError(
            f"no placement of {settings.rules.min_exits} to {settings.rules.max_exits} exits has a cost for each"
            " of its steps",
            hint="Allow more exits, or give the steps costs that are not infinite",
        )
    points = measure_chains(cells, chains, settings.confidence)
    return PlacementFrontier(
        [PlacementPoint(cells.placement(c), p) for c, p in zip(chains, points, strict=True)], grid.order
    )


def _check_folds(num_folds: int, num_videos: int) -> None:
    """Refuse a split that leaves a fold without videos, or has no other fold to choose on."""
    if not 2 <= num_folds <= num_videos:
        raise InputError(
            f"cross-fitting needs at least 2 folds and as many videos, got {num_folds} of {num_videos}",
            hint="Give num_folds=None for no estimate on new videos",
        )


def _expect(
    grid: ScoreGrid, settings: _Settings, budgets_B: Sequence[float], *, num_folds: int, seed: int
) -> list[Expected]:
    """Return what the search is worth on new videos for each budget; those too low take a fold's cheapest point."""
    fold_N = np.random.default_rng(seed).permutation(grid.num_videos) % num_folds
    total_B2 = np.zeros((len(budgets_B), 2))
    for fold in range(num_folds):
        held_out = np.flatnonzero(fold_N == fold)
        found = _find_points(grid, settings, np.flatnonzero(fold_N != fold))
        chosen = [found.best_under(max(budget, found[0].cost)) for budget in budgets_B]
        value_of = {id(point): _on(grid, point, held_out) for point in {id(p): p for p in chosen}.values()}
        for place, point in enumerate(chosen):
            value = value_of[id(point)]
            total_B2[place] += np.array([value.top1, value.cost]) * len(held_out)
    return [Expected(float(top1), float(cost)) for top1, cost in total_B2 / grid.num_videos]


def _on(grid: ScoreGrid, point: PlacementPoint, videos: NDArray[np.intp]) -> OperatingPoint:
    """Return a point's policy measured on some of the videos."""
    rows, columns = (list(axis) for axis in zip(*map(grid.cell, point.placement.exits), strict=True))
    policy = point.chosen.policy
    confidence_EN = grid.confidence(policy.confidence)[rows, columns][:, videos]
    correct_EN = grid.correct()[rows, columns][:, videos]
    cost_E = grid.cost_E(point.placement)
    return measured(policy, policy.stops(confidence_EN), correct_EN, cost_E, grid.steps.measure)
