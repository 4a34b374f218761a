"""The search for exit placements and thresholds on one score grid, for all budgets at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from dynsearch.errors import InputError
from dynsearch.frontier.placements.cells import Rules
from dynsearch.frontier.placements.crossfit import check_folds, expect
from dynsearch.frontier.placements.find import Settings, find_points
from dynsearch.frontier.placements.points import PlacementFrontier
from dynsearch.scores import DEFAULT_MEASURE, ScoreGrid
from dynsearch.thresholds.direct.smoothing import BANDWIDTH

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
        check_folds(num_folds, grid.num_videos)
    rules = Rules(min_exits, max_exits, min_depth, max_depth, last)
    settings = Settings(rules, confidence, smoothing, max_bins)
    found = find_points(grid, settings)
    if num_folds is None:
        return found
    budgets = [point.cost for point in found]
    expected = expect(grid, settings, budgets, num_folds=num_folds, seed=seed)
    return PlacementFrontier(
        [replace(point, expected=value) for point, value in zip(found, expected, strict=True)], grid.order
    )
