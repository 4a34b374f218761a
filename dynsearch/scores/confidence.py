"""Confidence measures: how sure one exit is of one video, from its logits. Higher is surer.

Shapes: R rows (any mixture of exits and videos), K classes, E exits, N videos.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import ScoresError
from dynsearch.registry import Registry
from dynsearch.scores.stop_rule import FIRST_CHOICE, MEASURES, first_choice, patience_at

DEFAULT_MEASURE = "max-softmax"
SEVERAL_LABELS_MEASURE = "max-sigmoid"
"""The measure where classes do not exclude each other."""
ACTIVATIONS = {"softmax": DEFAULT_MEASURE, "sigmoid": SEVERAL_LABELS_MEASURE}
"""What makes probabilities of logits, as the loss had it, and the measure that is the largest of them."""

# Rows are worked on in blocks of about this many logits, so that memory stays flat.
_BLOCK_LOGITS = 2_000_000


ConfidenceMeasure = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From logits (R, K), float64, to the confidence (R,) of every row; higher is surer."""

CONFIDENCE_MEASURES: Registry[ConfidenceMeasure] = Registry(
    "confidence measure",
    MEASURES,
    error=ScoresError,
)
"""Confidence measures by name, of the logits of one exit alone."""


def confidence_from_logits(measure: str, logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return the confidence (...) of every row of logits (..., K), float64, higher is surer.

    ``measure`` is a name of ``CONFIDENCE_MEASURES``, or ``first-choice``.

    Raises:
        ScoresError: There is no such measure, or ``logits`` has no class axis.
    """
    function = first_choice if measure == FIRST_CHOICE else CONFIDENCE_MEASURES[measure]
    logits = np.asarray(logits)
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise ScoresError(f"logits need a last axis of classes, got shape {logits.shape}")
    rows_RK = logits.reshape(-1, logits.shape[-1])
    confidence_R = np.empty(len(rows_RK))
    step = max(1, _BLOCK_LOGITS // logits.shape[-1])
    for start in range(0, len(rows_RK), step):
        block_RK = np.ascontiguousarray(rows_RK[start : start + step], dtype=np.float64)
        confidence_R[start : start + step] = function(block_RK)
    return confidence_R.reshape(logits.shape[:-1])


def patience(choice_EN: NDArray[Any]) -> NDArray[np.float64]:
    """Return (E, N): how many exits in a row have made the same choice at each exit; 0 at the first.

    (Zhou et al., BERT Loses Patience, 2020.)
    """
    return np.stack([patience_at(choice_EN[: k + 1]) for k in range(len(choice_EN))])
