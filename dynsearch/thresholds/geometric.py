"""The geometric schedule: the share of videos that stop at exit k is proportional to q^k.

MSDNet (Huang et al., ICLR 2018, section 4.2) and Dynamic Inference (Fan et al., section 4.2, Table 2).

Shapes: E exits, N videos.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
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
    ties: Literal[">", ">="] | None = None,
    rule: Literal["paper", "msdnet"] = "paper",
) -> list[OperatingPoint]:
    """Return one operating point for each q of the schedule, which carries its q.

    Args:
        scores: Labelled calibration scores.
        confidence: The confidence measure.
        qs: The ratios of the schedule: below 1 favours early exits, above 1 late ones.
        ties: What happens to videos that tie at a threshold: ``>=`` (MSDNet's code) stops all of them,
            ``>`` (the paper) none. Without ties both stop the same videos. None is what the rule does.
        rule: ``paper`` rounds the counts of videos that have stopped, puts thresholds between two confidences, and
            lets all stop where fewer are left than wanted. ``msdnet`` does as MSDNet's released code: it rounds the
            count of each exit, puts a threshold on the confidence of the last video wanted, so that those that
            tie with it stop, and closes an exit where fewer are left than wanted or none is.

    Raises:
        InputError: A q that is not positive and finite, or an unknown rule.
    """
    if rule not in ("paper", "msdnet"):
        raise InputError(f"rule must be 'paper' or 'msdnet', got {rule!r}")
    if ties not in (None, ">", ">=") or (rule == "msdnet" and ties == ">"):
        raise InputError(f"ties must be '>=' or, with the rule 'paper', '>', got {ties!r}")
    threshold_at = _as_released if rule == "msdnet" else partial(threshold_for_count, ties=ties or ">")
    confidence_EN = scores.confidence(confidence)
    order_EN = np.argsort(-confidence_EN, axis=1, kind="stable")  # NaN sorts last
    policies = []
    for q in qs:
        counts_E = target_counts(scores.num_videos, scores.num_exits, q, each=rule == "msdnet")
        thresholds = _thresholds(confidence_EN, order_EN, counts_E, threshold_at)
        policies.append(ExitPolicy(thresholds, confidence, scores.plan_id))
    points = evaluate_policies(policies, scores)
    return [replace(point, q=float(q)) for point, q in zip(points, qs, strict=True)]


def target_counts(num_videos: int, num_exits: int, q: float, *, each: bool = False) -> NDArray[np.int64]:
    """Return (E,) how many videos should stop at each exit; sums to ``num_videos``.

    Cumulative counts are rounded down, which gives the paper's Table 2 exactly (q = 1.2). With ``each``, the count of
    each exit is, and the last takes the rest.

    Raises:
        InputError: ``q`` is not positive and finite.
    """
    if not (math.isfinite(q) and q > 0):
        raise InputError(f"the ratio q of the geometric schedule must be positive, got {q}")
    # Scaled so that the largest weight is 1: no overflow for any q.
    exponents_E = np.arange(num_exits) - (num_exits - 1 if q > 1 else 0)
    weights_E = np.power(float(q), exponents_E)
    if each:
        weights_E = np.floor(num_videos * weights_E / weights_E.sum() + 1e-9)
        return np.append(weights_E[:-1], num_videos - weights_E[:-1].sum()).astype(np.int64)
    cumulative_E = np.floor(num_videos * np.cumsum(weights_E) / weights_E.sum() + 1e-9).astype(np.int64)
    cumulative_E[-1] = num_videos
    return np.diff(cumulative_E, prepend=0)


def _thresholds(
    confidence_EN: NDArray[np.float64],
    order_EN: NDArray[np.int64],
    counts_E: NDArray[np.int64],
    threshold_at: Callable[[NDArray[np.float64], int], float],
) -> tuple[float, ...]:
    num_exits, num_videos = confidence_EN.shape
    left_N = np.ones(num_videos, dtype=bool)
    thresholds = []
    for k in range(num_exits - 1):
        order = order_EN[k]
        sorted_confidence = confidence_EN[k][order[left_N[order]]]
        usable = sorted_confidence[sorted_confidence > -math.inf]  # NaN never stops
        threshold = threshold_at(usable, int(counts_E[k]))
        thresholds.append(threshold)
        left_N &= ~(confidence_EN[k] > threshold)
    return (*thresholds, -math.inf)


def _as_released(falling: NDArray[np.float64], count: int) -> float:
    """Return the threshold at the ``count``-th of the ``falling`` confidences: the number right below, for ``>``."""
    return math.nextafter(falling[count - 1], -math.inf) if 0 < count <= len(falling) else math.inf


def threshold_for_count(falling: NDArray[np.float64], count: int, ties: Literal[">", ">="] = ">") -> float:
    """Return the threshold above which the first ``count`` of the ``falling`` confidences, without NaN, lie.

    All of them stop where fewer are left. Confidences equal to the last of them stop too (``>=``) or, when not all
    fit, none of them does (``>``).
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
