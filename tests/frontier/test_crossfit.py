import numpy as np
import pytest

from dynsearch.errors import InputError
from dynsearch.frontier import cross_fit, solve_thresholds
from dynsearch.scores import ExitScores
from tests.thresholds.tables import random_scores


def test_each_fold_is_measured_by_thresholds_that_never_saw_it():
    scores = random_scores(0, num_videos=90)
    (got,) = cross_fit(scores, [4.0], num_folds=3, seed=5)
    fold_N = np.random.default_rng(5).permutation(90) % 3
    points = [
        solve_thresholds(scores.select(fold_N != fold))
        .best_under(4.0)
        .evaluate(scores.select(fold_N == fold))
        for fold in range(3)
    ]
    assert got.top1 == pytest.approx(np.mean([p.top1 for p in points]))
    assert got.cost == pytest.approx(np.mean([p.cost for p in points]))
    assert got.exceeded == pytest.approx(np.mean([p.cost > 4.0 for p in points]))


@pytest.mark.slow
def test_cross_fitted_accuracy_is_less_optimistic_than_the_fit():
    """Against a large test set, over several draws: the fit is too high, the cross-fit is not."""
    pool = random_scores(1, num_exits=5, num_videos=40_000)
    test = pool.select(np.arange(20_000, 40_000))
    budgets = np.linspace(*pool.cost_E[[0, -1]], 7)[1:-1]
    fit, crossed = [], []
    for draw in range(10):
        scores = pool.select(np.arange(draw * 200, draw * 200 + 200))
        curve = solve_thresholds(scores)
        points = [curve.best_under(budget) for budget in budgets]
        truth = np.mean([p.evaluate(test).top1 for p in points])
        fit.append(np.mean([p.top1 for p in points]) - truth)
        crossed.append(np.mean([c.top1 for c in cross_fit(scores, budgets)]) - truth)
    assert np.mean(fit) > 0.005
    assert abs(np.mean(crossed)) < np.mean(fit) / 2


def test_budgets_below_the_cheapest_point_take_it():
    scores = random_scores(0, num_videos=60)
    (estimate,) = cross_fit(scores, [0.001])
    assert estimate.cost == pytest.approx(scores.cost_E[0])
    assert estimate.exceeded == 1


def test_one_video_cannot_be_split():
    with pytest.raises(InputError, match="at least 2"):
        cross_fit(random_scores(0, num_videos=1), [3.0])


def test_any_measure_can_be_cross_fitted():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 120)
    logits = np.stack([rng.normal(size=(120, 3)) + skill * np.eye(3)[labels] for skill in (1, 3)])
    scores = ExitScores.from_logits(logits, labels, [1.0, 2.0])
    values = {
        measure: cross_fit(scores, [1.5], confidence=measure)[0].top1
        for measure in ("max-softmax", "margin", "patience", "learned-gain")
    }
    assert all(0.5 < value < 1 for value in values.values())
    assert values["margin"] != values["patience"]
