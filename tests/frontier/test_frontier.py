import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynsearch.errors import InfeasibleBudgetError, InputError
from dynsearch.frontier import Frontier, solve_thresholds
from dynsearch.thresholds import ExitPolicy, OperatingPoint
from tests.thresholds.tables import random_scores

POLICY = ExitPolicy((0.5, -math.inf))


def point(cost, top1):
    return OperatingPoint(POLICY, top1, cost, (1.0, 0.0), 10)


def curve(*pairs):
    return Frontier(point(*pair) for pair in pairs)


def pairs_of(points):
    return [(p.cost, p.top1) for p in points]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=15))
def test_a_frontier_rises_strictly_and_covers_every_point(pairs):
    got = pairs_of(curve(*pairs))
    assert got == sorted(got)
    assert all(c1 < c2 and v1 < v2 for (c1, v1), (c2, v2) in itertools.pairwise(got))
    assert set(got) <= set(pairs)
    assert all(any(c <= cost and v >= value for c, v in got) for cost, value in pairs)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=15), st.integers(1, 10))
def test_best_under_is_the_best_affordable_point(pairs, budget):
    affordable = [top1 for cost, top1 in pairs if cost <= budget]
    if affordable:
        assert curve(*pairs).best_under(budget).top1 == max(affordable)
    else:
        with pytest.raises(InfeasibleBudgetError) as caught:
            curve(*pairs).best_under(budget)
        assert caught.value.cheapest == min(cost for cost, _ in pairs)


def test_a_budget_equal_to_a_sum_of_floats_is_met():
    assert curve((0.1 + 0.2, 0.5)).best_under(0.3).top1 == 0.5


@pytest.mark.reliability(
    "Numbers", "a budget that is NaN or a text", happens="is refused", sees="`must be a number`"
)
@pytest.mark.parametrize("budget", [math.nan, "forty", None])
def test_a_budget_must_be_a_number(budget):
    with pytest.raises(InputError, match="must be a number"):
        curve((1, 1)).best_under(budget)


@pytest.mark.parametrize("num_points", [2, 3, 7, 19, 20, 50])
def test_thin_keeps_ends_and_spreads_over_the_cost_axis(num_points):
    costs = np.r_[np.linspace(1, 2, 15), np.linspace(3, 10, 5)]
    whole = curve(*((c, c) for c in costs))
    thinned = whole.thin(num_points)
    assert len(thinned) == min(num_points, 20)
    assert (thinned[0], thinned[-1]) == (whole[0], whole[-1])
    if num_points == 7:  # targets 1, 2.5, 4, 5.5 ... : the crowd below 2 gets two points, not five
        assert sum(p.cost <= 2 for p in thinned) == 2


def test_thin_to_fewer_than_two_is_refused():
    with pytest.raises(InputError, match="at least 2"):
        curve((1, 1), (2, 2)).thin(1)


def test_a_frontier_is_a_sequence():
    frontier = curve((1, 1), (2, 2), (3, 3))
    assert len(frontier) == 3
    assert frontier[-1].cost == 3
    assert pairs_of(frontier[:2]) == [(1, 1), (2, 2)]
    assert "3 points" in repr(frontier)
    assert frontier.hypervolume(reference_cost=4) == 1 + 2 + 3


def test_an_empty_frontier_is_refused():
    with pytest.raises(InputError, match="at least one"):
        Frontier([])


def test_solve_thresholds_by_name_and_on_other_scores():
    frontier = solve_thresholds(random_scores(0), "geometric")
    other = random_scores(1)
    assert frontier.evaluate(other) == [p.evaluate(other) for p in frontier]
    with pytest.raises(InputError, match=r"there is no threshold solver 'best'\. Known: "):
        solve_thresholds(random_scores(0), "best")
