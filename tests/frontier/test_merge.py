import numpy as np
import pytest

from dynsearch.errors import InputError
from dynsearch.frontier import merge, pareto_mask, solve_thresholds
from tests.thresholds.tables import random_scores


def halves(seed):
    scores = random_scores(seed, num_videos=80)
    return scores.select(np.arange(40)), scores.select(np.arange(40, 80))


def test_points_are_the_best_of_all_plans_on_calibration():
    scores_of = {trial: halves(trial) for trial in range(4)}
    merged = merge(scores_of, solver="geometric")
    everything = [
        p for calibration, _ in scores_of.values() for p in solve_thresholds(calibration, "geometric")
    ]
    mask = pareto_mask([p.cost for p in everything], [p.top1 for p in everything])
    expected = sorted({(p.cost, p.top1) for p, keep in zip(everything, mask, strict=True) if keep})
    assert [(m.calibration.cost, m.calibration.top1) for m in merged] == expected


def test_each_point_is_measured_on_its_own_plans_test_scores():
    scores_of = {trial: halves(trial) for trial in range(4)}
    for point in merge(scores_of, solver="geometric"):
        assert point.test == point.calibration.evaluate(scores_of[point.key][1])
        assert point.test_interval.low <= point.test.top1 <= point.test_interval.high


def test_test_scores_do_not_influence_the_choice():
    first = {0: halves(0), 1: halves(1)}
    other = {0: (first[0][0], halves(7)[1]), 1: (first[1][0], halves(8)[1])}
    chosen = [[(m.key, m.calibration) for m in merge(s, solver="geometric")] for s in (first, other)]
    assert chosen[0] == chosen[1]


def test_nothing_to_merge_is_refused():
    with pytest.raises(InputError, match="no exit scores"):
        merge({})
