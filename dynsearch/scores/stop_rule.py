"""The stop rule: how sure an exit is of a video, and whether that is enough to stop there.

Written once, for scores on disk, for networks that run and for exported graphs. Needs numpy alone: ``run.py`` beside
exported graphs carries this very file.

Everything is computed in float64: the softmax of float32 reaches 1.0 at a logit gap of 17, and then thousands of
videos tie at the top.

Shapes: R rows (any mixture of exits and videos), K classes, N videos, B videos still running, Q quantiles, P features.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

PATIENCE = "patience"
"""The measure that counts how many exits in a row made the same choice."""
FIRST_CHOICE = "first-choice"
"""What patience is counted from, readable like a measure."""


def softmax(logits_RK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the softmax of each row (R, K)."""
    weights_RK = np.exp(logits_RK - logits_RK.max(axis=-1, keepdims=True))
    return weights_RK / weights_RK.sum(axis=-1, keepdims=True)


def max_softmax(logits_RK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest softmax probability of each row, the paper's C_k, in (0, 1]."""
    shifted_RK = logits_RK - logits_RK.max(axis=-1, keepdims=True)
    return 1.0 / np.exp(shifted_RK).sum(axis=-1)


def margin(logits_RK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest softmax probability minus the second largest, in [0, 1]; 1 for one class."""
    probabilities_RK = softmax(logits_RK)
    if probabilities_RK.shape[-1] == 1:
        return probabilities_RK[:, 0]
    top_R2 = np.partition(probabilities_RK, -2, axis=-1)[:, -2:]
    return top_R2[:, 1] - top_R2[:, 0]


def negative_entropy(logits_RK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sum(p log p) of the softmax, in nats: -log K for a uniform row, 0 for a sure one."""
    shifted_RK = logits_RK - logits_RK.max(axis=-1, keepdims=True)
    weights_RK = np.exp(shifted_RK)
    total_R = weights_RK.sum(axis=-1)
    shifted_RK[weights_RK == 0] = 0.0  # p log p of a class without probability, whose logit may be -inf
    return (weights_RK * shifted_RK).sum(axis=-1) / total_R - np.log(total_R)


def max_sigmoid(logits_RK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest sigmoid probability of each row, for classes that do not exclude each other."""
    with np.errstate(over="ignore"):  # 1 / (1 + inf) is the 0 that is meant
        return 1.0 / (1.0 + np.exp(-logits_RK.max(axis=-1)))


def first_choice(logits_RK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the class with the largest logit. No confidence itself: patience is counted from it."""
    return logits_RK.argmax(axis=-1).astype(np.float64)


MEASURES: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "max-softmax": max_softmax,
    "margin": margin,
    "neg-entropy": negative_entropy,
    "max-sigmoid": max_sigmoid,
}
"""The confidence measures read from one exit's logits."""


def patience_at(choices: NDArray[Any]) -> NDArray[np.float64]:
    """Return (N,): how many exits right before the last chose what it chooses, of choices (k + 1, N)."""
    return np.cumprod(choices[-2::-1] == choices[-1], axis=0).sum(axis=0).astype(np.float64)


def gain_features(
    seen: NDArray[Any], quantiles: Sequence[Sequence[float]], scale: Sequence[float], hinges: Sequence[float]
) -> NDArray[np.float64]:
    """Return (N, P): what a learned gain weighs.

    An intercept, every confidence on the scale of a normal variable by its rank (missing ones in the middle), bends of
    the last two, and how they go together. ``seen`` are (k + 1, N) confidences of exits 0 to k, ``quantiles`` for each
    exit Q of them at evenly spaced ranks, which become ``scale``; at ``hinges`` the effect of a confidence may bend.
    """
    ranked = [np.interp(row, values, scale) for row, values in zip(seen, quantiles, strict=False)]
    scaled = np.nan_to_num(np.stack(ranked), nan=0.0)
    now = scaled[-1]
    columns = [np.ones(len(now)), *scaled]
    columns += [np.maximum(row - hinge, 0) for row in scaled[-2:] for hinge in hinges]
    if len(scaled) > 1:
        columns += [now * scaled[-2], now * scaled[:-1].mean(axis=0)]
    return np.stack(columns, axis=1)


def gain_at(seen: NDArray[Any], gain: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return (N,): the learned gain of stopping at the last of k + 1 exits ``seen``, (k + 1, N) confidences.

    NaN at exit k gives NaN, which never stops. ``gain`` has ``quantiles``, ``scale``, ``hinges`` and the ``weights``
    (P,) of every exit but the last.
    """
    features_NP = gain_features(seen, gain["quantiles"], gain["scale"], gain["hinges"])
    return np.where(np.isnan(seen[-1]), np.nan, features_NP @ np.array(gain["weights"][len(seen) - 1]))


def confidence_at(
    seen: NDArray[Any], confidence: str, gain: Mapping[str, Any] | None = None
) -> NDArray[np.float64]:
    """Return (N,): what the threshold of exit k is compared with.

    ``seen`` is (k + 1, N): of exits 0 to k the confidence, for ``patience`` the first choice, for a learned gain the
    confidence it reads.
    """
    if gain:
        return gain_at(seen, gain)
    return patience_at(seen) if confidence == PATIENCE else np.asarray(seen[-1])


def is_sure(confidence: NDArray[Any], threshold: float) -> NDArray[np.bool_]:
    """Return whether a video stops: its confidence is above the threshold (C_k: max s_k > T_k), NaN never."""
    return confidence > threshold


def stops_above(values: NDArray[Any], limits: Sequence[float]) -> Iterator[NDArray[np.bool_]]:
    """Yield for each exit in turn (N,): which videos stop there; at the last, all that are left.

    Values (E - 1, N) and limits are of every exit but the last.
    """
    left_N = np.ones(values.shape[1], dtype=bool)
    for values_N, limit in zip(values, limits, strict=True):
        if limit == math.inf:
            yield np.zeros_like(left_N)
            continue
        stops_N = is_sure(values_N, limit)
        stops_N &= left_N
        yield stops_N
        left_N ^= stops_N
    yield left_N


class StopRule:
    """Which videos leave at an exit.

    Args:
        thresholds: T_k of every exit but the last, which takes all that come.
        measure: What an exit's confidence is made of, (B,) from its logits (B, K).
        confidence_at: What the threshold of exit k is compared with, (B,) from what was measured at exits 0 to k,
            (k + 1, B).
    """

    def __init__(
        self,
        thresholds: Sequence[float],
        measure: Callable[[Any], NDArray[Any]],
        confidence_at: Callable[[NDArray[Any]], NDArray[Any]],
    ) -> None:
        self._thresholds, self._measure, self._confidence_at = thresholds, measure, confidence_at

    def meet(self, seen: NDArray[Any] | None, logits_BK: Any) -> tuple[NDArray[np.bool_], NDArray[Any]]:
        """Return which of B videos leave at exit k, and what was measured of all at exits 0 to k, (k + 1, B).

        ``seen`` is what this returned of them at the exit before; None at the first. ``logits_BK`` are exit k's.
        """
        seen = np.empty((0, len(logits_BK))) if seen is None else seen
        if len(seen) == len(self._thresholds):
            return np.ones(len(logits_BK), dtype=bool), seen
        seen = np.vstack([seen, self._measure(logits_BK)])
        return is_sure(self._confidence_at(seen), self._thresholds[len(seen) - 1]), seen
