"""Accuracy from logits or scores. All values are fractions in 0..1.

Shapes: N videos, K classes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import ScoresError


def top1(logits_NK: NDArray[Any], labels_N: NDArray[Any]) -> float:
    """Return the share of videos whose largest logit is at the label."""
    return top_k(logits_NK, labels_N, k=1)


def top_k(logits_NK: NDArray[Any], labels_N: NDArray[Any], *, k: int) -> float:
    """Return the share of videos whose label is among the ``k`` largest logits.

    Equal logits are ranked by class number, lowest first, as argmax does.

    Raises:
        ScoresError: The arrays are empty or disagree, or ``k`` is not in 1..K.
    """
    logits_NK, labels_N = np.asarray(logits_NK), np.asarray(labels_N)
    _check(logits_NK, labels_N)
    num_videos, num_classes = logits_NK.shape
    if not 1 <= k <= num_classes:
        raise ScoresError(f"k must be in 1..{num_classes}, got {k}")
    own_N1 = logits_NK[np.arange(num_videos), labels_N][:, None]
    before_NK = np.arange(num_classes) < labels_N[:, None]
    rank_N = ((logits_NK > own_N1) | ((logits_NK == own_N1) & before_NK)).sum(axis=1)
    return float((rank_N < k).mean())


def mean_class_accuracy(logits_NK: NDArray[Any], labels_N: NDArray[Any]) -> float:
    """Return the mean over the classes that occur of each class's top-1 accuracy."""
    logits_NK, labels_N = np.asarray(logits_NK), np.asarray(labels_N)
    _check(logits_NK, labels_N)
    correct_N = logits_NK.argmax(axis=1) == labels_N
    count_K = np.bincount(labels_N, minlength=logits_NK.shape[1])
    right_K = np.bincount(labels_N[correct_N], minlength=logits_NK.shape[1])
    return float((right_K[count_K > 0] / count_K[count_K > 0]).mean())


def mean_average_precision(scores_NK: NDArray[Any], labels_NK: NDArray[Any]) -> float:
    """Return mAP: average precision of each class that occurs, averaged over those classes.

    The average precision of a class is the mean, over its positive videos, of the precision among the
    videos scored at least as high (videos that tie share one precision), as in scikit-learn.

    Args:
        scores_NK: Scores, higher is likelier.
        labels_NK: 0/1, several may be 1 in a row.

    Raises:
        ScoresError: Shapes differ, or no label is positive.
    """
    scores_NK, positive_NK = np.asarray(scores_NK), np.asarray(labels_NK) > 0
    if scores_NK.shape != positive_NK.shape or scores_NK.ndim != 2:
        raise ScoresError(f"scores {scores_NK.shape} and labels {positive_NK.shape} must be alike")
    present = np.flatnonzero(positive_NK.any(axis=0))
    if present.size == 0:
        raise ScoresError("no video has a label, so there is no average precision")
    return float(np.mean([_average_precision(scores_NK[:, c], positive_NK[:, c]) for c in present]))


def _average_precision(score_N: NDArray[Any], positive_N: NDArray[np.bool_]) -> float:
    order = np.argsort(-score_N, kind="stable")
    sorted_score, sorted_positive = score_N[order], positive_N[order]
    ends = np.append(np.flatnonzero(sorted_score[1:] != sorted_score[:-1]), len(order) - 1)
    hits = np.cumsum(sorted_positive)[ends]
    precision = hits / (ends + 1)
    return float((np.diff(hits, prepend=0) * precision).sum() / hits[-1])


def _check(logits_NK: NDArray[Any], labels_N: NDArray[Any]) -> None:
    if logits_NK.ndim != 2 or labels_N.shape != logits_NK.shape[:1]:
        raise ScoresError(f"logits {logits_NK.shape} and labels {labels_N.shape} disagree")
    if len(labels_N) == 0:
        raise ScoresError("no videos, so there is no accuracy")
    if labels_N.min() < 0 or labels_N.max() >= logits_NK.shape[1]:
        raise ScoresError(f"labels must be in 0..{logits_NK.shape[1] - 1}, got up to {labels_N.max()}")
