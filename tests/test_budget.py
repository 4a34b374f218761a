"""A budget is kept by one rule, wherever it is asked: a cost summed to 0.1 + 0.2 is within 0.3."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dynsearch.budget import excess, fits, last_that_fits
from dynsearch.errors import InfeasibleBudgetError
from dynsearch.families import cost_table
from dynsearch.frontier import Frontier, chance_of_exceeding, merge, safe_best_under, solve_thresholds
from dynsearch.frontier.crossfit import cross_fit
from dynsearch.frontier.placements import rank_plans, search_placements
from dynsearch.frontier.placements.points import PlacementFrontier
from dynsearch.measures import COUNTED
from dynsearch.plan import ExitPlacement, FrameOrder, Plan
from dynsearch.scores import ExitScores
from dynsearch.search.one_shot.screening import promising
from dynsearch.study.predictions import expected_top1
from dynsearch.study.record import finished
from dynsearch.study.results import StudyResults, best_rows
from tests.scores.grids import random_grid
from tests.search.toy import NUM_CLASSES, SPACE, run

COST, BUDGET = 0.1 + 0.2, 0.3
PLAN = Plan("test_resnet", 4, FrameOrder.named("paper", 4), ExitPlacement.of("1x3", "4x5"), 48)
SCORES = ExitScores(
    cost_E=np.array([COST, 1.0]),
    confidence_EN=np.full((2, 40), 0.9),
    correct_EN=np.ones((2, 40), dtype=bool),
)
POINT = solve_thresholds(SCORES)[0]


def test_the_example_is_one():
    assert COST > BUDGET
    assert POINT.cost > BUDGET


@given(st.floats(1e-6, 1e6), st.floats(-1e-11, 1e-11))
@example(0.3, 0.0)
def test_a_cost_fits_if_it_is_at_most_a_millionth_millionth_above(budget, relative):
    cost = budget * (1 + relative)
    over = (Fraction(cost) - Fraction(budget)) / Fraction(budget)
    if abs(over - Fraction(1, 10**12)) < Fraction(1, 10**15):
        return  # too near to tell in floating point
    assert fits(cost, budget) == (over <= Fraction(1, 10**12))
    assert fits(np.array([cost, 2 * budget]), budget).tolist() == [fits(cost, budget), False]
    assert (excess(cost, budget) <= 0) == fits(cost, budget)


def test_the_last_point_that_fits_and_the_lowest_cost_where_none_does():
    assert last_that_fits([0.1, COST, 0.4], BUDGET, float, COUNTED) == COST
    assert last_that_fits([0.1, COST, 0.4], np.inf, float, COUNTED) == 0.4
    with pytest.raises(InfeasibleBudgetError, match="below the cheapest point, 0.1 GFLOPs") as caught:
        last_that_fits([0.1, COST], 0.05, float, COUNTED)
    assert caught.value.cheapest == 0.1


def test_points_of_one_network():
    curve = Frontier([POINT])
    assert curve.best_under(BUDGET) == POINT
    assert safe_best_under(curve, SCORES, BUDGET) == POINT
    assert chance_of_exceeding(POINT, SCORES, BUDGET) == 0
    assert solve_thresholds(SCORES, "risk", budget=BUDGET)[0].cost == pytest.approx(COST)


def test_what_is_expected_on_new_videos():
    (found,) = cross_fit(SCORES, [BUDGET])
    assert found.exceeded == 0
    assert expected_top1(SCORES, [BUDGET]) == [1.0]


def test_points_of_a_study():
    results = StudyResults({0: PLAN}, {0: (SCORES, SCORES)}, merge({0: (SCORES, SCORES)}), {}, 0)
    assert results.best_under(BUDGET) == results.points[0]
    assert results.rows_under(BUDGET)[0]["chosen"] is True
    assert [row["calibration_gflops"] for row in best_rows({"grid": results}, BUDGET)] == [POINT.cost]


def test_placements_on_a_score_grid():
    grid = random_grid(0)
    found = search_placements(grid, min_exits=1, max_exits=2, num_folds=None)
    budget = found[0].cost * (1 - 1e-13)
    assert found[0].cost > budget
    assert PlacementFrontier(found).best_under(budget) == found[0]
    assert promising(found, budget) == [found[0]]
    assert [plan.placement for plan in rank_plans({0: (grid, found)}, 3, budget=budget)] == [
        found[0].placement
    ]


def test_proposals_of_a_study(tmp_path):
    exits = SPACE.exits.model_copy(update={"max_exits": 1})
    space = SPACE.model_copy(update={"frames": SPACE.frames[:1], "exits": exits})
    (dearest,) = {cost_table(plan, NUM_CLASSES).cost_E[-1] for plan in space.cheapest_plans()}
    budget = dearest * (1 - 1e-13)
    assert dearest > budget
    study, _ = run(tmp_path / "s", space=space, max_gflops=budget, num_trials=1)
    (trial,) = finished(study)
    assert trial.values[1] > budget
    assert trial.constraints["gflops"] <= 0
