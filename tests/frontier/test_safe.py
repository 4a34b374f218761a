import numpy as np
import pytest

from dynsearch.errors import InfeasibleBudgetError, InputError
from dynsearch.frontier import (
    chance_of_exceeding,
    cost_standard_error,
    safe_best_under,
    solve_thresholds,
)
from tests.thresholds.tables import random_scores

SCORES = random_scores(3, num_videos=400)
CURVE = solve_thresholds(SCORES)


def test_standard_error_is_that_of_a_mean():
    for point in CURVE[::20]:
        costs = SCORES.cost_E[point.policy.first_exit(SCORES.confidence())]
        assert cost_standard_error(point, SCORES) == pytest.approx(costs.std() / 20)


def test_the_safe_point_keeps_the_margin_and_the_next_one_would_not():
    budget = float(SCORES.cost_E.mean())
    point = safe_best_under(CURVE, SCORES, budget, delta=0.1)
    assert point.cost < CURVE.best_under(budget).cost
    assert chance_of_exceeding(point, SCORES, budget) <= 0.1
    following = CURVE[list(CURVE).index(point) + 1]
    assert chance_of_exceeding(following, SCORES, budget) > 0.05


def test_an_exit_taken_by_all_has_no_margin():
    cheapest = float(SCORES.cost_E[0])
    assert safe_best_under(CURVE, SCORES, cheapest).cost == cheapest
    assert chance_of_exceeding(CURVE[0], SCORES, cheapest) == 0


@pytest.mark.reliability("Numbers", "a budget below the cheapest exit")
def test_a_budget_below_the_cheapest_point_is_named():
    with pytest.raises(InfeasibleBudgetError, match="cheapest point"):
        safe_best_under(CURVE, SCORES, 0.001)


@pytest.mark.parametrize("delta", [0, 0.6, np.nan])
def test_delta_must_be_a_small_chance(delta):
    with pytest.raises(InputError, match="delta"):
        safe_best_under(CURVE, SCORES, 5.0, delta=delta)


@pytest.mark.reliability(
    "Statistics",
    "a budget fitted on calibration, with `--safe`",
    happens="is exceeded on new videos in at most delta of the draws",
)
@pytest.mark.slow
def test_the_budget_is_broken_in_at_most_delta_of_the_draws_by_many_thresholds_too():
    pool = random_scores(4, num_exits=7, num_videos=10_000)
    rng, draws = np.random.default_rng(0), 16
    budget, plain, safe = float(pool.cost_E.mean()), 0, 0
    for _ in range(draws):
        scores = pool.select(rng.choice(10_000, 150, replace=False))
        curve = solve_thresholds(scores)
        plain += curve.best_under(budget).evaluate(pool).cost > budget
        safe += safe_best_under(curve, scores, budget, delta=0.1).evaluate(pool).cost > budget
    assert plain / draws > 0.3
    assert safe / draws <= 0.1 + 2 * np.sqrt(0.1 * 0.9 / draws)
