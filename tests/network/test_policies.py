"""Policies that look at several exits stop a real network where they stop its exit scores."""

import dataclasses

import numpy as np
import pytest
import torch

from dynsearch.frontier import solve_thresholds
from dynsearch.scores import ExitScores
from dynsearch.thresholds import evaluate_policy
from tests.network.nets import lively_network, random_clips
from tests.plans import small_plan


@pytest.mark.parametrize("measure", ["max-softmax", "margin", "neg-entropy", "patience", "learned-gain"])
def test_progressive_inference_follows_the_policy(measure):
    plan = small_plan("1x3", "2x3", "2x4", "4x5")
    network, clips = lively_network(plan, num_classes=4), random_clips(plan, batch=60)
    clips += 3 * torch.randn(60, 4, 3, 1, 1, generator=torch.Generator().manual_seed(1))  # videos that differ
    with torch.inference_mode():
        logits_ENK = network(clips).numpy()
    labels_N = logits_ENK[np.arange(60) % 4, np.arange(60)].argmax(
        axis=1
    )  # each exit is right on some videos
    scores = ExitScores.from_logits(logits_ENK, labels_N, np.array(network.cost_E), plan_id=plan.plan_id)
    fitted = solve_thresholds(scores, "frontier", confidence=measure)[0].policy
    middles_E = np.quantile(fitted.confidence_of(scores), 0.6, axis=1)
    policy = dataclasses.replace(fitted, thresholds=(*middles_E[:-1], -np.inf))
    point = evaluate_policy(policy, scores)
    assert np.count_nonzero(point.exit_share) > 1
    result = network.forward_until(clips, policy)
    assert np.bincount(result.exit, minlength=4) / 60 == pytest.approx(point.exit_share)
    assert result.cost.mean() == pytest.approx(point.cost)
    assert (result.logits.argmax(dim=1).numpy() == labels_N).mean() == pytest.approx(point.top1)
