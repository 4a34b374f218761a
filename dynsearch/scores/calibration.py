"""How far probabilities can be believed, and temperature scaling to mend them (Guo et al., ICML 2017).

Shapes: E exits, N videos, K classes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dynsearch.errors import ScoresError
from dynsearch.scores.confidence import confidence_from_logits
from dynsearch.scores.exit_scores import ExitScores

NUM_BINS = 15
"""Of confidence, for calibration errors and the reliability diagrams beside them."""


@dataclass(frozen=True)
class ExitCalibration:
    """One exit's temperature, by which logits are divided, and what it changes.

    ``nll`` is the mean negative log-likelihood of the labels, in nats, infinite where one has a probability of zero;
    ``ece`` the expected calibration error of the largest probability, as a fraction.
    """

    temperature: float
    nll_before: float
    nll_after: float
    ece_before: float
    ece_after: float

    @property
    def at_bound(self) -> bool:
        """Whether no temperature of ``TEMPERATURE_RANGE`` is best: the likelihood still rises at its end."""
        return self.temperature in TEMPERATURE_RANGE

    def remarks(self) -> list[str]:
        """Return what is to be said of it, to be read after "exit 1: "."""
        found = []
        if self.at_bound:
            why = (
                "it is right on all these videos, or its logits hardly differ"
                if self.temperature == TEMPERATURE_RANGE[0]
                else "its logits do not point to the labels"
            )
            found.append(f"the temperature is at its bound, {self.temperature:g}, and none is best: {why}")
        if self.nll_before == np.inf:
            found.append(
                "labels with a logit of -inf make the likelihood zero; the temperature is that of the other videos"
            )
        return found


TEMPERATURE_RANGE = (1e-6, 1e6)
_NEWTON_STEPS = 50


def negative_log_likelihood(
    logits_NK: NDArray[Any], labels_N: NDArray[Any], temperature: float = 1.0
) -> float:
    """Return the mean of -log softmax(logits / temperature) at the label, in nats."""
    return _derivatives(*_checked(logits_NK, labels_N), 1.0 / temperature)[0]


def fit_temperature(logits_NK: NDArray[Any], labels_N: NDArray[Any]) -> float:
    """Return the temperature that makes the labels most likely, or the end of ``TEMPERATURE_RANGE`` nearest to it.

    The likelihood is concave in 1 / temperature: Newton's method, kept inside a shrinking bracket. Labels with a
    logit of -inf are impossible at any temperature, and left out. 1 where all temperatures are equally good.

    Raises:
        ScoresError: The arrays are empty or disagree.
    """
    logits, labels = _checked(logits_NK, labels_N)
    possible_N = logits[np.arange(len(labels)), labels] > -np.inf
    logits, labels = logits[possible_N], labels[possible_N]
    low, high = 1.0 / TEMPERATURE_RANGE[1], 1.0 / TEMPERATURE_RANGE[0]
    slopes = [_derivatives(logits, labels, end)[1] for end in (low, high)] if len(labels) else [0.0]
    if not any(slopes):
        return 1.0
    if slopes[0] >= 0 or slopes[1] <= 0:
        return TEMPERATURE_RANGE[1 if slopes[0] >= 0 else 0]
    inverse = 1.0
    for _ in range(_NEWTON_STEPS):
        _, slope, curvature = _derivatives(logits, labels, inverse)
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        step = inverse - slope / curvature if curvature > 0 else np.inf
        following = step if low < step < high else float(np.sqrt(low * high))
        if abs(following - inverse) <= 1e-7 * inverse:
            break
        inverse = following
    return 1.0 / inverse


def calibrate_exits(scores: ExitScores) -> list[ExitCalibration]:
    """Return the temperature of each exit, with likelihood and calibration error before and after.

    All of it is measured on the videos that the temperatures are fitted on.

    Raises:
        ScoresError: The scores lack logits or one label for each video.
    """
    if scores.logits_ENK is None or scores.labels_N is None or not scores.one_label:
        raise ScoresError("temperatures need logits and one label for each video")
    reports = []
    for logits_NK, correct_N in zip(scores.logits_ENK, scores.correct(), strict=True):
        temperature = fit_temperature(logits_NK, scores.labels_N)
        before, after = (
            (
                negative_log_likelihood(logits_NK, scores.labels_N, t),
                expected_calibration_error(
                    confidence_from_logits("max-softmax", logits_NK / np.float64(t)), correct_N
                ),
            )
            for t in (1.0, temperature)
        )
        reports.append(ExitCalibration(temperature, before[0], after[0], before[1], after[1]))
    return reports


def calibration_bins(confidence_N: NDArray[np.float64], num_bins: int = NUM_BINS) -> NDArray[np.int64]:
    """Return (N,): the bin of each probability; bin b, counted from 0, holds (b, b + 1] / ``num_bins``."""
    return np.clip(np.ceil(confidence_N * num_bins).astype(np.int64) - 1, 0, num_bins - 1)


def expected_calibration_error(
    confidence_N: ArrayLike, correct_N: ArrayLike, *, num_bins: int = NUM_BINS
) -> float:
    """Return the mean gap between confidence and accuracy over bins (b - 1, b] / ``num_bins``, weighted by videos.

    Raises:
        ScoresError: The arrays are empty or disagree, or confidence is no probability.
    """
    confidence = np.asarray(confidence_N, dtype=np.float64)
    correct = np.asarray(correct_N, dtype=np.float64)
    if confidence.ndim != 1 or confidence.shape != correct.shape or len(confidence) == 0:
        raise ScoresError(
            f"confidence {confidence.shape} and correct {correct.shape} must be two equal lists"
        )
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise ScoresError("confidence must be a probability in 0..1 for a calibration error")
    if num_bins < 1:
        raise ScoresError(f"num_bins must be at least 1, got {num_bins}")
    gaps = np.bincount(calibration_bins(confidence, num_bins), confidence - correct, minlength=num_bins)
    return float(np.abs(gaps).sum() / len(confidence))


def _derivatives(
    logits_NK: NDArray[np.float64], labels_N: NDArray[np.intp], inverse: float
) -> tuple[float, float, float]:
    """Return the mean negative log-likelihood at 1 / temperature, its slope and its curvature."""
    scaled_NK = logits_NK * inverse
    top_N1 = scaled_NK.max(axis=1, keepdims=True)
    weights_NK = np.exp(scaled_NK - top_N1)
    total_N = weights_NK.sum(axis=1)
    own_N = logits_NK[np.arange(len(labels_N)), labels_N]
    weighed_NK = np.where(weights_NK > 0, logits_NK, 0.0)  # -inf times a weight of zero
    mean_N = (weights_NK * weighed_NK).sum(axis=1) / total_N
    variance_N = (weights_NK * (weighed_NK - mean_N[:, None]) ** 2).sum(axis=1) / total_N
    loss_N = np.log(total_N) + top_N1[:, 0] - inverse * own_N
    return float(loss_N.mean()), float((mean_N - own_N).mean()), float(variance_N.mean())


def _checked(logits_NK: NDArray[Any], labels_N: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    logits, labels = np.asarray(logits_NK, dtype=np.float64), np.asarray(labels_N)
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or len(labels) == 0:
        raise ScoresError(f"logits {logits.shape} and labels {labels.shape} disagree or are empty")
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ScoresError(f"labels must be in 0..{logits.shape[1] - 1}, got up to {labels.max()}")
    return logits, labels.astype(np.intp)
