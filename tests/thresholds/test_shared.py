import math

import numpy as np
import pytest

from dynsearch.errors import InputError
from dynsearch.scores import ExitScores
from dynsearch.thresholds import evaluate_policy, shared
from dynsearch.thresholds.policy import ExitPolicy
from tests.thresholds.tables import random_scores


def test_all_exits_but_the_last_share_the_threshold():
    for point in shared(random_scores(0)):
        assert len(set(point.thresholds[:-1])) == 1
        assert point.thresholds[-1] == -math.inf


def test_with_enough_points_every_shared_threshold_is_covered():
    scores = random_scores(1, num_videos=20)
    got = {(p.cost, p.top1) for p in shared(scores, num_points=1000)}
    for value in [-1.0, *np.unique(scores.confidence()[:-1])]:
        point = evaluate_policy(ExitPolicy((value, value, value, -math.inf)), scores)
        assert (point.cost, point.top1) in got


@pytest.mark.parametrize("confidence", [np.full((2, 3), 0.5), np.full((2, 3), np.nan)])
def test_constant_and_missing_confidences(confidence):
    scores = ExitScores(cost_E=[1.0, 2.0], confidence_EN=confidence, correct_EN=np.ones((2, 3)))
    assert {p.cost for p in shared(scores)} == ({2.0} if np.isnan(confidence).all() else {1.0, 2.0})


def test_too_few_points_are_refused():
    with pytest.raises(InputError, match="at least 2"):
        shared(random_scores(0), num_points=1)
