import itertools

import numpy as np
import pytest

from dynsearch.errors import InfeasibleBudgetError, InputError
from dynsearch.frontier import hypervolume, solve_thresholds
from dynsearch.frontier.placements import rank_plans, search_placements
from dynsearch.thresholds import evaluate_policy
from tests.scores.grids import simulated_grid


@pytest.fixture(scope="module")
def searched():
    searched = {}
    for seed, order in enumerate(["paper", "strided"]):
        grid = simulated_grid(250, num_sets=3, num_depths=3, num_classes=6, seed=seed, order=order)
        searched[order] = (grid, search_placements(grid, max_exits=3, num_folds=None, max_bins=32))
    return searched


@pytest.fixture(scope="module")
def everything(searched):
    return rank_plans(searched, 1000)


def names(ranked):
    return [(plan.key, plan.placement) for plan in ranked]


def kept_by(curves, reference):
    points = [(p.cost, p.top1) for curve in curves for p in curve]
    return hypervolume(*zip(*points, strict=True), reference_cost=reference)


def test_at_most_so_many_and_all_different(searched, everything):
    candidates = sum(len(found.placements) for _, found in searched.values())
    assert 3 < len(everything) <= candidates
    assert len(set(names(everything))) == len(everything)
    assert names(rank_plans(searched, 3)) == names(everything[:3])
    assert all(np.diff([plan.kept for plan in everything]) > 0)
    assert everything[-1].kept == pytest.approx(1)


def test_each_next_plan_adds_most_and_few_keep_nearly_as_much_as_the_best_few(searched, everything):
    reference = max(found[-1].cost for _, found in searched.values())
    curves = [plan.curve for plan in everything]
    total = kept_by(curves, reference)
    singles = [kept_by([curve], reference) for curve in curves]
    assert everything[0].kept == pytest.approx(max(singles) / total)
    pairs = [kept_by([curves[0], curve], reference) for curve in curves[1:]]
    assert everything[1].kept == pytest.approx(max(pairs) / total)
    best = max(kept_by(three, reference) for three in itertools.combinations(curves, 3))
    assert everything[2].kept > (1 - 1 / np.e) * best / total
    assert everything[2].kept == pytest.approx(best / total, abs=0.01)


def test_a_curve_is_all_that_thresholds_can_do_with_a_placement(searched, everything):
    for plan in everything[:2]:
        grid, found = searched[plan.key]
        assert plan.placement in found.placements
        solved = solve_thresholds(grid.exit_scores(plan.placement))
        for point in solved:
            assert plan.curve.best_under(point.cost).top1 >= point.top1
        for point in plan.curve[:: len(plan.curve) // 5]:
            assert evaluate_policy(point.policy, grid.exit_scores(plan.placement)).top1 == point.top1


def test_only_costs_under_the_limit_count(searched):
    ranked = rank_plans(searched, 1, budget=1.0)
    curves = {
        (key, placement): solve_thresholds(grid.exit_scores(placement))
        for key, (grid, found) in searched.items()
        for placement in found.placements
    }
    best = max(kept_by([curve], 1.0) for curve in curves.values())
    assert kept_by([ranked[0].curve], 1.0) == pytest.approx(best, rel=0.01)


def test_bad_arguments(searched):
    with pytest.raises(InputError, match="no score grids"):
        rank_plans({}, 3)
    with pytest.raises(InputError, match="num_plans must be at least 1"):
        rank_plans(searched, 0)
    with pytest.raises(InfeasibleBudgetError, match="below the cheapest point"):
        rank_plans(searched, 3, budget=0.001)
