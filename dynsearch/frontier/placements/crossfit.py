"""What a search for placements is worth on new videos, by cross-fitting.

The accuracy of the best of many placements is optimistic: it was the best partly by luck with these videos.
Here placements and thresholds are chosen without a fold of the videos, for the same budgets, and measured on it.

Shapes: N videos, B budgets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import InputError
from dynsearch.frontier.placements.find import Settings, find_points
from dynsearch.frontier.placements.points import Expected, PlacementPoint
from dynsearch.scores import ScoreGrid
from dynsearch.thresholds import OperatingPoint
from dynsearch.thresholds.operating_point import measured


def check_folds(num_folds: int, num_videos: int) -> None:
    """Refuse a split that leaves a fold without videos, or has no other fold to choose on.

    Raises:
        InputError: There are fewer than two folds, or fewer videos than folds.
    """
    if not 2 <= num_folds <= num_videos:
        raise InputError(
            f"cross-fitting needs at least 2 folds and as many videos, got {num_folds} of {num_videos}",
            hint="Give num_folds=None for no estimate on new videos",
        )


def expect(
    grid: ScoreGrid, settings: Settings, budgets_B: Sequence[float], *, num_folds: int, seed: int
) -> list[Expected]:
    """Return what the search is worth on new videos for each budget.

    Args:
        grid: The scores of all cells.
        settings: How to search.
        budgets_B: In mean cost per video; those below a fold's cheapest point take that point.
        num_folds: How many parts the videos are split into.
        seed: Of the split.
    """
    fold_N = np.random.default_rng(seed).permutation(grid.num_videos) % num_folds
    total_B2 = np.zeros((len(budgets_B), 2))
    for fold in range(num_folds):
        held_out = np.flatnonzero(fold_N == fold)
        found = find_points(grid, settings, np.flatnonzero(fold_N != fold))
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
