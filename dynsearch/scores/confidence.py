"""Confidence measures: how sure one exit is of one video, from its logits. Higher is surer.

Everything is computed in float64: the softmax of float32 reaches 1.0 at a logit gap of 17, and then
thousands of videos tie at the top.

Shapes: R rows (any mixture of exits and videos), K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from dynsearch.errors import ScoresError

DEFAULT_MEASURE = "max-softmax"
SEVERAL_LABELS_MEASURE = "max-sigmoid"
"""The measure where classes do not exclude each other."""
FIRST_CHOICE = "first-choice"
"""What patience is counted from, readable like a measure."""

# Rows are worked on in blocks of about this many logits, so that memory stays flat.
_BLOCK_LOGITS = 2_000_000


def max_softmax(logits_RK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest softmax probability of each row, the paper's C_k, in (0, 1]."""
    shifted_RK = logits_RK - logits_RK.max(axis=-1, keepdims=True)
    return 1.0 / np.exp(shifted_RK).sum(axis=-1)


def margin(logits_RK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest softmax probability minus the second largest, in [0, 1]; 1 for one class."""
    probabilities_RK = _softmax(logits_RK)
    if probabilities_RK.shape[-1] == 1:
        return probabilities_RK[:, 0]
    top_R2 = np.partition(probabilities_RK, -2, axis=-1)[:, -2:]
    return top_R2[:, 1] - top_R2[:, 0]


def negative_entropy(logits_RK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sum(p log p) of the softmax, in nats: -log K for a uniform row, 0 for a sure one."""
    shifted_RK = logits_RK - logits_RK.max(axis=-1, keepdims=True)
    weights_RK = np.exp(shifted_RK)
    total_R = weights_RK.sum(axis=-1)
    return (weights_RK * shifted_RK).sum(axis=-1) / total_R - np.log(total_R)


def max_sigmoid(logits_RK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest sigmoid probability of each row, for classes that do not exclude each other."""
    return expit(logits_RK.max(axis=-1))


def first_choice(logits_RK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the class with the largest logit. No confidence itself: patience is counted from it."""
    return logits_RK.argmax(axis=-1).astype(np.float64)


CONFIDENCE_MEASURES: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = MappingProxyType(
    {
        "max-softmax": max_softmax,
        "margin": margin,
        "neg-entropy": negative_entropy,
        "max-sigmoid": max_sigmoid,
    }
)


def confidence_from_logits(measure: str, logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return the confidence of every row of ``logits``.

    Args:
        measure: A name of ``CONFIDENCE_MEASURES``, or ``first-choice``.
        logits: (..., K) logits of any float type, on the CPU.

    Returns:
        (...) float64, higher is surer.

    Raises:
        ScoresError: There is no such measure, or ``logits`` has no class axis.
    """
    if measure not in CONFIDENCE_MEASURES and measure != FIRST_CHOICE:
        raise ScoresError(
            f"no confidence measure {measure!r}", hint=f"Known measures: {', '.join(CONFIDENCE_MEASURES)}"
        )
    logits = np.asarray(logits)
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise ScoresError(f"logits need a last axis of classes, got shape {logits.shape}")
    function = first_choice if measure == FIRST_CHOICE else CONFIDENCE_MEASURES[measure]
    rows_RK = logits.reshape(-1, logits.shape[-1])
    confidence_R = np.empty(len(rows_RK))
    step = max(1, _BLOCK_LOGITS // logits.shape[-1])
    for start in range(0, len(rows_RK), step):
        block_RK = np.ascontiguousarray(rows_RK[start : start + step], dtype=np.float64)
        confidence_R[start : start + step] = function(block_RK)
    return confidence_R.reshape(logits.shape[:-1])


def _softmax(logits_RK: NDArray[np.float64]) -> NDArray[np.float64]:
    weights_RK = np.exp(logits_RK - logits_RK.max(axis=-1, keepdims=True))
    return weights_RK / weights_RK.sum(axis=-1, keepdims=True)
