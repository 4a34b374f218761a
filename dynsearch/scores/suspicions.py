"""What looks wrong in exit scores that keep every rule, in words, with what to do about it. Nothing is refused for it.

Shapes: E exits, N videos, K classes.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from dynsearch.errors import ScoresError
from dynsearch.measures import COUNTED
from dynsearch.scores.exit_scores import ExitScores

_FEW = 20
_MUCH = 1e4
"""GFLOPs per video that only few networks cost, and any does in MFLOPs."""
_CERTAIN = 5.0
"""Standard errors beyond which a difference is said."""
_SUM = 0.02
"""By how much rounded probabilities (float16, two decimals) may miss their sum, relative."""


def suspicions(scores: ExitScores) -> list[str]:
    """Return what looks wrong in scores, each in words."""
    looks = (_size, _logits, _labels, _activation, _costs, _ids, _confidence, _order)
    return [said for look in looks for said in look(scores)]


def _size(scores: ExitScores) -> Iterator[str]:
    if scores.num_videos < _FEW:
        yield f"they are of {scores.num_videos} videos only, and say little of new ones"


def from_probabilities(scores: ExitScores) -> ExitScores:
    """Return scores whose ``logits`` hold probabilities or percents, with logits that give these.

    Where ``activation`` is not known, rows of sum 1 are taken for softmax probabilities, which become log p, others
    for sigmoid ones, log p / (1 - p).

    Raises:
        ScoresError: There are none, or values below 0 or above 100, or they are no softmax probabilities and should be.
    """
    if scores.logits_ENK is None:
        raise ScoresError("there are no logits that could be probabilities")
    values = scores.logits_ENK.astype(np.float64)
    if values.min() < 0 or values.max() > 100 * (1 + _SUM):
        raise ScoresError(
            f"are no probabilities: they lie in {values.min():g}..{values.max():g}", where="logits"
        )
    values /= _scale(values)
    with np.errstate(divide="ignore"):
        logits = np.log(values)
        one = _sum_to_one(values)
        activation = scores.activation or ("softmax" if one else "sigmoid")
        if activation == "sigmoid":
            logits -= np.log1p(-np.minimum(values, 1 - 2.0**-24))
    if activation == "softmax" and not one:
        raise ScoresError("are no softmax probabilities: not every row has the sum 1", where="logits")
    return replace(scores, logits_ENK=logits, activation=activation)


def _scale(values: NDArray[Any]) -> float:
    return 1.0 if values.max() <= 1 + _SUM else 100.0


def _sum_to_one(values: NDArray[Any]) -> bool:
    return bool((np.abs(values.sum(axis=-1) - 1) <= _SUM).all())


def _logits(scores: ExitScores) -> Iterator[str]:
    if scores.logits_ENK is None or scores.logits_ENK.shape[2] == 1:
        return
    for k, logits_NK in enumerate(scores.logits_ENK, start=1):
        if logits_NK.min() < 0 or logits_NK.max() <= 0:
            continue
        one = _sum_to_one(logits_NK / _scale(logits_NK))
        if one or (logits_NK.max() <= 1 and logits_NK.size >= 50):
            yield (
                f"the logits of exit {k} look like probabilities: none is below 0 or above {_scale(logits_NK):g}"
                f"{', and each row has that sum' if one else ''}; if they are, say --probabilities"
                " (probabilities=True), or save their logarithm"
            )
            return


def _labels(scores: ExitScores) -> Iterator[str]:
    if scores.labels_N is None or scores.logits_ENK is None or scores.num_videos < 10:
        return
    labels = scores.labels_N
    if scores.several_labels:
        if labels.shape[1] > 1 and (labels.sum(axis=1) == 1).all():
            yield "every video has one of several labels: where classes exclude each other give labels.argmax(axis=1)"
        return
    num_videos, num_classes = scores.num_videos, scores.logits_ENK.shape[2]
    choice = scores.logits_ENK[-1].argmax(axis=1)
    table_KK = np.zeros((num_classes, num_classes), dtype=np.int64)
    np.add.at(table_KK, (choice, labels), 1)
    right = np.trace(table_KK) / num_videos
    most = np.bincount(labels).max() / num_videos
    if most == 1 and num_classes > 1:
        yield f"all videos have the label {labels[0]}: are they sorted, and cut off after the first class?"
        return
    enough = max(right, most) + 2 / np.sqrt(num_videos)
    others = {
        "labels - 1": np.trace(table_KK, 1) / num_videos,
        "labels + 1": np.trace(table_KK, -1) / num_videos,
    }
    others["the negated logits"] = (scores.logits_ENK[-1].argmin(axis=1) == labels).mean()
    for name, share in others.items():
        if share > enough:
            yield f"the last exit is right for {right:.1%} of the videos, and would be for {share:.1%} with {name}"
            return
    used = np.flatnonzero(table_KK.sum(axis=1))
    renamed = table_KK.max(axis=1).sum() / num_videos
    one_to_one = len(np.unique(table_KK[used].argmax(axis=1))) >= max(2, 0.8 * len(used))
    if num_videos >= 10 * num_classes and renamed > max(2 * right, enough) and one_to_one:
        yield (
            f"the last exit is right for {right:.1%} of the videos, and tells {renamed:.1%} of them apart: do labels"
            " and logits number the classes alike?"
        )
    elif num_videos >= 50 and right <= most and num_classes > 1:
        yield (
            f"the last exit is right for {right:.1%} of the videos, and to say the commonest class for {most:.1%}:"
            " are the labels those of these videos?"
        )


def _activation(scores: ExitScores) -> Iterator[str]:
    """Say where sigmoids tell the labels much worse than knowing no video does, and softmax better."""
    if scores.activation or not scores.several_labels or scores.logits_ENK is None or scores.num_videos < 10:
        return
    logits_NK = np.maximum(scores.logits_ENK[-1], -1e4).astype(np.float64)
    labels_NK = np.asarray(scores.labels_N)
    often_K = (labels_NK.sum(axis=0) + 0.5) / (scores.num_videos + 1)
    by_sigmoid = (np.logaddexp(0, logits_NK) - labels_NK * logits_NK).sum()
    sigmoid_of_none = -(labels_NK * np.log(often_K) + (1 - labels_NK) * np.log1p(-often_K)).sum()
    by_softmax = -(labels_NK * log_softmax(logits_NK, axis=1)).sum()
    softmax_of_none = -(labels_NK * np.log(often_K / often_K.sum())).sum()
    if by_sigmoid > 2 * sigmoid_of_none and by_softmax < softmax_of_none:
        yield (
            "as sigmoids the logits tell the labels much worse than their frequencies do, as softmax better: if the"
            " network was trained with softmax, say --activation softmax (activation='softmax')"
        )


def _costs(scores: ExitScores) -> Iterator[str]:
    if scores.measure == COUNTED and scores.cost_E[-1] >= _MUCH:
        yield f"{scores.cost_E[-1]:.0f} GFLOPs for a video is much: divide MFLOPs by 1000"
    same = np.flatnonzero(np.diff(scores.cost_E) == 0)
    if same.size:
        yield (
            f"exits {same[0]} and {same[0] + 1} cost the same: costs are cumulative, of costs of each step give the"
            " numpy.cumsum"
        )


def _ids(scores: ExitScores) -> Iterator[str]:
    ids, counts = np.unique([] if scores.video_ids_N is None else scores.video_ids_N, return_counts=True)
    if (counts > 1).any():
        yield (
            f"{int((counts > 1).sum())} videos are there more than once, one is {str(ids[counts.argmax()])!r}: rows of"
            " one video are not independent, so intervals are too narrow; average its logits first"
        )


def _confidence(scores: ExitScores) -> Iterator[str]:
    if scores.confidence_EN is None:
        return
    gaps = np.argwhere(np.isnan(scores.confidence_EN[:-1]))
    if len(gaps):
        yield (
            f"{len(gaps)} confidences are not given (blank or NaN), the first at exit {gaps[0, 0] + 1} for the video at"
            f" position {gaps[0, 1]}: there a video never stops"
        )
    if not scores.has_truth:
        return
    for k, confidence_N, right_N in zip(count(1), scores.confidence_EN, scores.correct(), strict=False):
        _, place_N, counts = np.unique(confidence_N, return_inverse=True, return_counts=True)
        rank_N = (np.cumsum(counts) - (counts - 1) / 2)[place_N]
        many, few = int(right_N.sum()), int((~right_N).sum())
        if many and few:  # Mann and Whitney's test
            excess = rank_N[right_N].mean() - rank_N[~right_N].mean()
            if excess < -_CERTAIN * np.sqrt((many + few) ** 3 / (12 * many * few)):
                yield f"exit {k} is surer where it is wrong: give a confidence, higher where it is surer; no entropy"
                return


def _order(scores: ExitScores) -> Iterator[str]:
    if not scores.has_truth:
        return
    first, last = scores.correct()[0], scores.correct()[-1]
    lost, won = int((first & ~last).sum()), int((last & ~first).sum())
    if lost - won > _CERTAIN * np.sqrt(lost + won):
        yield (
            f"the first exit is right for {first.mean():.1%} of the videos and the last for {last.mean():.1%}: are the"
            " exits in the order in which they are met?"
        )
