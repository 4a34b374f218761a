import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynsearch.errors import PolicyError, ScoresError
from dynsearch.scores import ExitScores
from dynsearch.thresholds import ExitPolicy, evaluate_policies, evaluate_policy

INF = math.inf
SCORES = ExitScores(
    cost_E=[1.0, 3.0],
    confidence_EN=[[0.9, 0.6, 0.4, 0.1], [0.9, 0.9, 0.9, 0.9]],
    correct_EN=[[1, 0, 1, 0], [1, 1, 0, 1]],
    plan_id="p",
)


@pytest.mark.parametrize(
    ("threshold", "top1", "cost", "share"),
    [
        (INF, 0.75, 3.0, (0.0, 1.0)),
        (0.5, 0.5, 2.0, (0.5, 0.5)),
        (0.7, 0.75, 2.5, (0.25, 0.75)),
        (-INF, 0.5, 1.0, (1.0, 0.0)),
    ],
)
def test_operating_points_by_hand(threshold, top1, cost, share):
    point = evaluate_policy(ExitPolicy((threshold, -INF)), SCORES)
    assert (point.top1, point.cost, point.exit_share, point.num_videos) == (top1, cost, share, 4)


@given(st.integers(0, 500), st.integers(1, 5), st.integers(1, 9))
def test_accuracy_and_cost_equal_a_video_by_video_replay(seed, num_exits, num_videos):
    rng = np.random.default_rng(seed)
    confidence, correct = rng.random((num_exits, num_videos)), rng.random((num_exits, num_videos)) < 0.5
    cost_E = np.cumsum(rng.uniform(0.1, 2, num_exits))
    thresholds = (*rng.random(num_exits - 1), -INF)
    point = evaluate_policy(
        ExitPolicy(thresholds), ExitScores(cost_E=cost_E, confidence_EN=confidence, correct_EN=correct)
    )
    right, cost = 0, 0.0
    for video in range(num_videos):
        exit_index = next(
            e for e in range(num_exits) if e == num_exits - 1 or confidence[e, video] > thresholds[e]
        )
        right += correct[exit_index, video]
        cost += cost_E[exit_index]
    assert point.top1 == pytest.approx(right / num_videos)
    assert point.cost == pytest.approx(cost / num_videos)
    assert sum(point.exit_share) == pytest.approx(1)


def test_the_same_policy_on_other_scores():
    other = ExitScores(cost_E=[1.0, 4.0], confidence_EN=[[0.9], [0.9]], correct_EN=[[0], [1]], plan_id="p")
    point = evaluate_policy(ExitPolicy((INF, -INF), plan_id="p"), SCORES).evaluate(other)
    assert (point.top1, point.cost, point.num_videos, point.plan_id) == (1.0, 4.0, 1, "p")


def test_each_policy_uses_its_own_measure():
    logits = np.array([[[2.0, 1.9, 0.0]], [[0.0, 5.0, 0.0]]])
    scores = ExitScores.from_logits(logits, [1], [1.0, 2.0])
    surer, torn = (ExitPolicy((0.3, -INF), confidence=name) for name in ("max-softmax", "margin"))
    assert [p.exit_share for p in evaluate_policies([surer, torn], scores)] == [(1.0, 0.0), (0.0, 1.0)]


@pytest.mark.reliability("Numbers", "thresholds of another network")
def test_policies_of_other_networks_and_unlabelled_scores_are_refused():
    with pytest.raises(PolicyError, match="fitted for plan q, not p"):
        evaluate_policy(ExitPolicy((0.5, -INF), plan_id="q"), SCORES)
    with pytest.raises(PolicyError, match="3 exits, but there are 2"):
        evaluate_policy(ExitPolicy((0.5, 0.5, -INF)), SCORES)
    with pytest.raises(ScoresError, match="unlabelled"):
        evaluate_policy(ExitPolicy((-INF,)), ExitScores(cost_E=[1.0], confidence_EN=[[0.5]]))
