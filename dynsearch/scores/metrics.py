"""What results are measured by, by name: top-1, top-5, mean class accuracy, mAP. All are fractions in 0..1.

Shapes: N videos, K classes.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from dynsearch.errors import ScoresError
from dynsearch.scores.accuracy import mean_average_precision, mean_class_accuracy, top1, top_k
from dynsearch.scores.exit_scores import ExitScores
from dynsearch.scores.labels import first_choice_is_label, several_labels

TITLES: Mapping[str, str] = MappingProxyType(
    {"top1": "top-1", "top5": "top-5", "mean_class": "mean class accuracy", "map": "mAP"}
)


def hit_rate(logits_NK: NDArray[Any], labels_NK: NDArray[Any]) -> float:
    """Return the share of videos whose first choice is one of their labels: top-1 of several labels a video."""
    return float(first_choice_is_label(logits_NK, labels_NK).mean())


def _top1(logits_NK: NDArray[Any], labels: NDArray[Any]) -> float:
    return hit_rate(logits_NK, labels) if several_labels(labels) else top1(logits_NK, labels)


def _top5(logits_NK: NDArray[Any], labels_N: NDArray[Any]) -> float:
    return top_k(logits_NK, labels_N, k=min(5, logits_NK.shape[1]))


METRICS: Mapping[str, Callable[[NDArray[Any], NDArray[Any]], float]] = MappingProxyType(
    {"top1": _top1, "top5": _top5, "mean_class": mean_class_accuracy, "map": mean_average_precision}
)


def measure(name: str, scores: ExitScores, exit_N: NDArray[np.int64]) -> float:
    """Return one metric, a key of ``METRICS``, of the logits at the exits where the videos stop.

    Average precision ranks probabilities as the loss had them, and softmax ranks videos otherwise than logits do.

    Raises:
        ScoresError: There are no logits or labels, or the metric is not for labels of this form.
    """
    if scores.logits_ENK is None or scores.labels_N is None or (name == "map") > scores.several_labels:
        raise ScoresError(
            f"{TITLES[name]} needs logits and labels of the form (videos{', classes' if name == 'map' else ''})"
        )
    if scores.several_labels and name not in ("map", "top1"):
        raise ScoresError(f"{TITLES[name]} is for one label a video", hint="Use mAP")
    logits_NK = scores.logits_ENK[exit_N, np.arange(scores.num_videos)]
    if name == "map" and scores.activated_by == "softmax":
        logits_NK = log_softmax(logits_NK.astype(np.float64), axis=1)
    return METRICS[name](logits_NK, scores.labels_N)
