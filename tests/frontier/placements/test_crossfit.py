import numpy as np
import pytest

from dynsearch.frontier.placements import search_placements
from dynsearch.thresholds import evaluate_policy
from tests.scores.grids import random_grid, simulated_grid

RULES = {"min_exits": 1, "max_exits": 3, "max_bins": 24}


def test_each_half_is_measured_by_what_was_chosen_on_the_other():
    grid = simulated_grid(120, num_sets=3, num_depths=2, num_classes=4)
    found = search_placements(grid, **RULES, num_folds=2, seed=5)
    fold_N = np.random.default_rng(5).permutation(120) % 2
    halves = [
        (search_placements(grid.select(fold_N != fold), **RULES, num_folds=None), grid.select(fold_N == fold))
        for fold in range(2)
    ]
    for point in found[:: max(len(found) // 5, 1)]:
        values = []
        for curve, held_out in halves:
            chosen = curve.best_under(max(point.cost, curve[0].cost))
            values.append(evaluate_policy(chosen.chosen.policy, held_out.exit_scores(chosen.placement)))
        assert point.expected.top1 == pytest.approx(np.mean([v.top1 for v in values]))
        assert point.expected.cost == pytest.approx(np.mean([v.cost for v in values]))


def test_no_estimate_when_none_is_asked_for():
    found = search_placements(random_grid(0), num_folds=None)
    assert all(point.expected is None for point in found)
    assert "expected_top1" not in found[0].to_dict()


def test_the_choice_is_optimistic_and_the_estimate_is_not():
    """Over independent draws, against 10,000 further videos.

    The estimate is of a search on half of the videos: it is compared with searches on that many.
    """
    draws, size = 12, 300
    pool = simulated_grid(14_000, num_sets=3, num_depths=3, num_classes=6, seed=4)
    new = pool.select(np.arange(4000, 14_000))
    budgets = np.linspace(0.5, 4, 6)
    chosen, expected, truth, truth_of_half = (np.zeros(draws) for _ in range(4))

    def on_new_videos(found):
        return np.mean([top1_on(found.best_under(b), new) for b in budgets])

    for draw in range(draws):
        grid = pool.select(np.arange(draw * size, (draw + 1) * size))
        found = search_placements(grid, **RULES)
        points = [found.best_under(b) for b in budgets]
        chosen[draw] = np.mean([p.top1 for p in points])
        expected[draw] = np.mean([p.expected.top1 for p in points])
        truth[draw] = on_new_videos(found)
        half = search_placements(grid.select(np.arange(size // 2)), **RULES, num_folds=None)
        truth_of_half[draw] = on_new_videos(half)
    optimism, bias = chosen - truth, expected - truth_of_half
    assert optimism.mean() > 3 * optimism.std(ddof=1) / np.sqrt(draws)
    assert optimism.mean() > 0.02
    assert abs(bias.mean()) < 3 * bias.std(ddof=1) / np.sqrt(draws)
    assert abs((expected - truth).mean()) < optimism.mean() / 2


def top1_on(point, grid):
    rows, columns = zip(*map(grid.cell, point.placement.exits), strict=True)
    policy = point.chosen.policy
    exit_N = policy.first_exit(grid.confidence(policy.confidence)[rows, columns])
    correct_EN = grid.correct()[rows, columns]

    return correct_EN[exit_N, np.arange(grid.num_videos)].mean()
