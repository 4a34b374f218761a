import math

import numpy as np
import pytest

from dynsearch.errors import ScoresError
from dynsearch.scores import ExitScores
from dynsearch.thresholds import ExitPolicy, evaluate_policy
from dynsearch.thresholds.groups import by_group
from tests.thresholds.tables import random_scores

POLICY = ExitPolicy((0.5, -math.inf))
SCORES = ExitScores(
    cost_E=[1.0, 3.0],
    confidence_EN=[[0.9, 0.9, 0.1, 0.1], [1, 1, 1, 1]],
    correct_EN=[[0, 1, 0, 0], [1, 1, 1, 0]],
    labels_N=[7, 7, 2, 2],
)


def test_views_by_hand_the_most_hurt_first():
    hurt, other = by_group(POLICY, SCORES)
    assert (hurt.group, hurt.num_videos, hurt.top1, hurt.full_top1, hurt.drop) == (7, 2, 0.5, 1.0, 0.5)
    assert (hurt.cost, hurt.exit_share) == (1.0, (1.0, 0.0))
    assert (other.group, other.top1, other.drop, other.cost) == (2, 0.5, 0.0, 3.0)


def test_groups_add_up_to_the_whole():
    scores = random_scores(0, num_videos=200)
    policy = ExitPolicy((0.7, 0.7, 0.7, -math.inf))
    names = np.random.default_rng(0).choice(["indoor", "outdoor", "night"], 200)
    views = by_group(policy, scores, names)
    whole = evaluate_policy(policy, scores)
    assert {view.group for view in views} == {"indoor", "outdoor", "night"}
    assert sum(v.num_videos * v.top1 for v in views) / 200 == pytest.approx(whole.top1)
    assert sum(v.num_videos * v.cost for v in views) / 200 == pytest.approx(whole.cost)


def test_missing_labels_and_other_lengths_are_refused():
    with pytest.raises(ScoresError, match="need one label for each video"):
        by_group(ExitPolicy((0.7, 0.7, 0.7, -math.inf)), random_scores(0))
    with pytest.raises(ScoresError, match="there are 4 videos"):
        by_group(POLICY, SCORES, np.arange(3))
