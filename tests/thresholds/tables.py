"""Random exit scores and brute force over all thresholds, shared by the tests of solvers."""

import itertools
import math

import numpy as np

from dynsearch.scores import ExitScores


def random_scores(seed, *, num_exits=4, num_videos=24, levels=None, nan_share=0.0):
    """Small exit scores whose confidence is informative; ``levels`` makes ties."""
    rng = np.random.default_rng(seed)
    easy_N = rng.normal(size=num_videos)
    skill_E1 = np.sort(rng.normal(size=(num_exits, 1)), axis=0)
    margin_EN = easy_N + skill_E1 + 0.7 * rng.normal(size=(num_exits, num_videos))
    correct = margin_EN > 0
    confidence = 1 / (1 + np.exp(-np.abs(margin_EN) * rng.uniform(0.5, 2, size=(num_exits, 1))))
    confidence = np.where(correct, confidence, rng.uniform(0.4, 0.9, size=confidence.shape))
    if levels is not None:
        confidence = np.round(confidence * levels) / levels
    confidence[rng.random(confidence.shape) < nan_share] = np.nan
    cost = np.cumsum(rng.uniform(0.5, 3, size=num_exits))
    return ExitScores(cost_E=cost, confidence_EN=confidence, correct_EN=correct, plan_id="random")


def all_policies(scores):
    """Every choice of thresholds that stops different videos, as tuples."""
    choices = []
    for confidence_N in scores.confidence()[:-1]:
        values = np.unique(confidence_N[~np.isnan(confidence_N)])
        choices.append([-math.inf, *((values[:-1] + values[1:]) / 2), math.inf])
    return [(*chosen, -math.inf) for chosen in itertools.product(*choices)]


def best_by_brute_force(scores):
    """(cost, top1) of every threshold policy, as two arrays, by plain enumeration."""
    confidence, correct, cost = scores.confidence(), scores.correct(), scores.cost_E
    columns = np.arange(scores.num_videos)
    results = []
    for thresholds in all_policies(scores):
        stops = confidence > np.array(thresholds)[:, None]
        stops[-1] = True
        exit_N = stops.argmax(axis=0)
        results.append((cost[exit_N].mean(), correct[exit_N, columns].mean()))
    return np.array(results).T
