import math

import numpy as np
import pytest

from dynsearch.errors import ScoresError
from dynsearch.frontier import solve_thresholds
from dynsearch.scores import ExitScores
from dynsearch.scores.accuracy import mean_average_precision
from dynsearch.thresholds import ExitPolicy
from dynsearch.thresholds.groups import policy_metric
from tests.thresholds.tables import random_scores


def multi_label_scores(num_videos=400):
    rng = np.random.default_rng(0)
    labels = (rng.random((num_videos, 5)) < 0.3).astype(np.uint8)
    labels[:, 0] |= labels.sum(axis=1) == 0
    clarity = rng.gamma(2, size=(num_videos, 1))
    logits = np.stack(
        [skill * clarity * (2.0 * labels - 1) + rng.normal(size=labels.shape) for skill in (0.3, 1)]
    )
    return ExitScores.from_logits(logits, labels, [1.0, 4.0])


@pytest.mark.parametrize(("threshold", "exit_index"), [(-math.inf, 0), (math.inf, 1)])
def test_whole_exits_have_their_own_map(threshold, exit_index):
    scores = multi_label_scores()
    expected = mean_average_precision(scores.logits_ENK[exit_index], scores.labels_N)
    assert policy_metric("map", ExitPolicy((threshold, -math.inf)), scores) == pytest.approx(expected)


def test_the_same_solvers_serve_several_labels_by_their_surrogate():
    scores = multi_label_scores()
    curve = solve_thresholds(scores, confidence="max-sigmoid")
    half = curve.best_under(2.5)
    full = policy_metric("map", ExitPolicy((math.inf, -math.inf), "max-sigmoid"), scores)
    first = policy_metric("map", ExitPolicy((-math.inf, -math.inf), "max-sigmoid"), scores)
    assert first < policy_metric("map", half.policy, scores) <= full + 0.02


def test_single_labels_have_no_map():
    with pytest.raises(ScoresError, match="mAP needs"):
        policy_metric("map", ExitPolicy((0.5, 0.5, 0.5, -math.inf)), random_scores(0))
