import math
import warnings

import numpy as np
import pytest

from dynsearch.errors import InputError
from dynsearch.frontier import Frontier, solve_thresholds
from dynsearch.thresholds import SOLVERS
from dynsearch.thresholds.optuna_solver import _threshold, optuna_search
from tests.thresholds.tables import random_scores

SCORES = random_scores(0, num_exits=3, num_videos=120)


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_points_are_real_policies_and_repeat_with_the_seed(sampler):
    points = optuna_search(SCORES, num_trials=40, sampler=sampler, seed=1)
    assert 1 < len(points) <= 40
    assert all(point.evaluate(SCORES) == point for point in points)
    assert points == optuna_search(SCORES, num_trials=40, sampler=sampler, seed=1)


def test_an_objective_of_ones_own_is_maximised():
    def prefer_middle_exit(point):
        return point.exit_share[1]

    points = optuna_search(SCORES, num_trials=60, sampler="tpe", objective=prefer_middle_exit)
    assert max(point.exit_share[1] for point in points) > 0.9


@pytest.mark.parametrize(
    ("quantile", "expected"), [(0.0, -math.inf), (0.5, 0.25), (1.0, math.inf), (0.75, 0.35)]
)
def test_quantiles_lie_between_confidences(quantile, expected):
    assert _threshold(np.array([0.1, 0.2, 0.3, 0.4]), quantile) == pytest.approx(expected)


def test_missing_confidences_never_stop():
    assert _threshold(np.array([]), 0.5) == math.inf


def test_it_is_a_solver_by_name_and_does_not_beat_the_frontier_solver():
    theirs = solve_thresholds(SCORES, "optuna", num_trials=60)
    ours = solve_thresholds(SCORES, smoothing=0)
    assert "optuna" in SOLVERS
    assert isinstance(theirs, Frontier)
    budgets = np.linspace(*SCORES.cost_E[[0, -1]], 10)[1:]
    gaps = [ours.best_under(b).top1 - theirs.best_under(b).top1 for b in budgets if b >= theirs[0].cost]
    assert np.mean(gaps) >= 0


@pytest.mark.parametrize("options", [dict(sampler="random"), dict(num_trials=0)])
def test_impossible_options_are_refused(options):
    with pytest.raises(InputError):
        optuna_search(SCORES, **options)
