import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynsearch.errors import InputError
from dynsearch.scores import ExitScores
from dynsearch.thresholds import target_accuracy
from tests.thresholds.tables import random_scores

INF = math.inf


@pytest.mark.parametrize(("target", "stopped"), [(0.0, 5), (0.6, 5), (0.75, 4), (0.8, 1), (1.0, 1), (1.1, 0)])
def test_as_many_as_are_right_often_enough_stop(target, stopped):
    scores = ExitScores(
        cost_E=[1.0, 2.0],
        confidence_EN=[[0.9, 0.8, 0.7, 0.6, 0.5], [1] * 5],
        correct_EN=[[1, 0, 1, 1, 0], [1] * 5],  # right so far: 1, 1/2, 2/3, 3/4, 3/5
    )
    (point,) = target_accuracy(scores, targets=[target])
    assert point.exit_share[0] * 5 == pytest.approx(stopped)


@given(st.integers(0, 300), st.floats(0, 1))
def test_every_exit_keeps_the_target_and_no_lower_threshold_would(seed, target):
    scores = random_scores(seed, num_exits=3, num_videos=30, levels=6, nan_share=0.1)
    (point,) = target_accuracy(scores, targets=[target])
    left = np.ones(30, dtype=bool)
    for k, threshold in enumerate(point.thresholds[:-1]):
        confidence, correct = scores.confidence()[k], scores.correct()[k]
        stops = left & (confidence > threshold)
        assert not stops.any() or correct[stops].mean() >= target
        for lower in np.unique(confidence[left & (confidence <= threshold)]):
            assert correct[left & (confidence >= lower)].mean() < target
        left &= ~stops


def test_a_target_that_is_not_a_number_is_refused():
    with pytest.raises(InputError, match="must be numbers"):
        target_accuracy(random_scores(0), targets=[math.nan])
