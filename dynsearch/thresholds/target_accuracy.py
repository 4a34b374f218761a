"""One target for all exits: each stops as many videos as it can while these are right often enough.

Shapes: E exits, N videos.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import InputError
from dynsearch.scores import DEFAULT_MEASURE, ExitScores
from dynsearch.thresholds.between import between
from dynsearch.thresholds.operating_point import OperatingPoint, evaluate_policies
from dynsearch.thresholds.policy import ExitPolicy

DEFAULT_TARGETS = tuple(np.linspace(0.0, 1.0, 201).tolist())


def target_accuracy(
    scores: ExitScores,
    *,
    confidence: str = DEFAULT_MEASURE,
    targets: Sequence[float] = DEFAULT_TARGETS,
) -> list[OperatingPoint]:
    """Return one operating point for each target accuracy.

    From the first exit on, T_k is the lowest threshold for which the videos that reach exit k and stop
    there are right with at least the target's share.

    Args:
        scores: Labelled calibration scores.
        confidence: The confidence measure.
        targets: Shares in 0..1; above 1 no video stops early.

    Raises:
        InputError: A target is not a number.
    """
    if any(math.isnan(target) for target in targets):
        raise InputError(f"target accuracies must be numbers, got {tuple(targets)}")
    confidence_EN, correct_EN = scores.confidence(confidence), scores.correct()
    order_EN = np.argsort(-confidence_EN, axis=1, kind="stable")  # NaN sorts last
    policies = []
    for target in dict.fromkeys(targets):
        left_N = np.ones(scores.num_videos, dtype=bool)
        thresholds = []
        for k in range(scores.num_exits - 1):
            order = order_EN[k][left_N[order_EN[k]]]
            threshold = _lowest_threshold(confidence_EN[k][order], correct_EN[k][order], target)
            thresholds.append(threshold)
            left_N &= ~(confidence_EN[k] > threshold)
        policies.append(ExitPolicy((*thresholds, -math.inf), confidence, scores.plan_id))
    return evaluate_policies(dict.fromkeys(policies), scores)


def _lowest_threshold(falling: NDArray[np.float64], correct: NDArray[np.bool_], target: float) -> float:
    usable = int(np.count_nonzero(falling > -math.inf))  # NaN and -inf, which never stop, come last
    falling, correct = falling[:usable], correct[:usable]
    if usable == 0:
        return math.inf
    share_right = np.cumsum(correct) / np.arange(1, usable + 1)
    ends_tie = np.append(falling[1:] < falling[:-1], True)
    enough = np.flatnonzero(ends_tie & (share_right >= target))
    if enough.size == 0:
        return math.inf
    last = int(enough[-1])
    return -math.inf if last == usable - 1 else between(float(falling[last + 1]), float(falling[last]))
