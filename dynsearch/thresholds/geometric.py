"""The geometric schedule: the share of videos that stop at exit k is proportional to q^k.

MSDNet (Huang et al., ICLR 2018, section 4.2) and Dynamic Inference (Fan et al., section 4.2, Table 2).

Shapes: E exits, N videos.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import InputError
from dynsearch.scores import DEFAULT_MEASURE, ExitScores
from dynsearch.thresholds.between import between
from dynsearch.thresholds.operating_point import OperatingPoint, evaluate_policies
from dynsearch.thresholds.policy import ExitPolicy

MSDNET_QS = tuple(p / 20 for p in range(1, 40))
"""The grid of MSDNet's released code: 0.05, 0.10 ... 1.95."""


def geometric(
    scores: ExitScores,
    *,
    confidence: str = DEFAULT_MEASURE,
    qs: Sequence[float] = MSDNET_QS,
    ties: Literal[">", ">="] = ">",
) -> list[OperatingPoint]:
    """Return one operating point for each q of the schedule.

    Args:
        scores: Labelled calibration scores.
        confidence: The confidence measure.
        qs: The ratios of the schedule: below 1 favours early exits, above 1 late ones.
        ties: What happens to videos that tie at a threshold: ``>=`` (MSDNet's code) stops all of them,
            ``>`` (the paper) none. Without ties both stop the same videos.

    Raises:
        InputError: A q that is not positive and finite, or an unknown rule for ties.
    """
    if ties not in (">", ">="):
        raise InputError(f"ties must be '>' or '>=', got {ties!r}")
    confidence_EN = scores.confidence(confidence)
    order_EN = np.argsort(-confidence_EN, axis=1, kind="stable")  # NaN sorts last
    policies = []
    for q in qs:
        counts_E = target_counts(scores.num_videos, scores.num_exits, q)
        thresholds = _thresholds(confidence_EN, order_EN, counts_E, ties)
        policies.append(ExitPolicy(thresholds, confidence, scores.plan_id))
    return evaluate_policies(policies, scores)


def target_counts(num_videos: int, num_exits: int, q: float) -> NDArray[np.int64]:
    """Return (E,) how many videos should stop at each exit; sums to ``num_videos``.

    Cumulative counts are rounded down, which gives the paper's Table 2 exactly (q = 1.2).

    Raises:
        InputError: ``q`` is not positive and finite.
    """
    if not (math.isfinite(q) and q > 0):
        raise InputError(f"the ratio q of the geometric schedule must be positive, got {q}")
    # Scaled so that the largest weight is 1: no overflow for any q.
    exponents_E = np.arange(num_exits) - (num_exits - 1 if q > 1 else 0)
    weights_E = np.power(float(q), exponents_E)
    cumulative_E = np.floor(num_videos * np.cumsum(weights_E) / weights_E.sum() + 1e-9).astype(np.int64)
    cumulative_E[-1] = num_videos
    return np.diff(cumulative_E, prepend=0)


def _thresholds(
    confidence_EN: NDArray[np.float64],
    order_EN: NDArray[np.int64],
    counts_E: NDArray[np.int64],
    ties: Literal[">", ">="],
) -> tuple[float, ...]:
    num_exits, num_videos = confidence_EN.shape
    left_N = np.ones(num_videos, dtype=bool)
    thresholds = []
    for k in range(num_exits - 1):
        order = order_EN[k]
        sorted_confidence = confidence_EN[k][order[left_N[order]]]
        usable = sorted_confidence[sorted_confidence > -math.inf]  # NaN never stops
        threshold = threshold_for_count(usable, int(counts_E[k]), ties)
        thresholds.append(threshold)
        left_N &= ~(confidence_EN[k] > threshold)
    return (*thresholds, -math.inf)


def threshold_for_count(falling: NDArray[np.float64], count: int, ties: Literal[">", ">="] = ">") -> float:
    """Return the threshold above which the first ``count`` of the ``falling`` confidences lie.

    Args:
        falling: Confidences from high to low, without NaN.
        count: How many should stop; all of them where fewer are left.
        ties: Whether confidences equal to the last of them stop too (``>=``) or, when not all fit, none
            of them does (``>``).
    """
    count = min(count, len(falling))
    if count == 0:
        return math.inf
    last = falling[count - 1]
    if ties == ">" and count < len(falling) and falling[count] == last:
        count = int(np.searchsorted(-falling, -last, side="left"))
    else:
        count = int(np.searchsorted(-falling, -last, side="right"))
    if count == 0:
        return math.inf
    if count == len(falling):
        return -math.inf
    return between(float(falling[count]), float(falling[count - 1]))
