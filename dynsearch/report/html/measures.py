"""How far the probabilities of the chosen network can be believed, exit by exit.

Shapes: E exits, N videos, K classes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dynsearch.report.html.facts import StudyFacts
from dynsearch.scores import ExitScores
from dynsearch.scores.calibration import (
    NUM_BINS,
    calibration_bins,
    expected_calibration_error,
    fit_temperature,
)
from dynsearch.scores.confidence import confidence_from_logits


@dataclass(frozen=True)
class Reliability:
    """How far an exit's probabilities can be believed, on test.

    Attributes:
        temperature: 1, or what was fitted on calibration.
        error: Expected calibration error, a fraction.
        bins: For each bin of confidence that holds videos: mean confidence, accuracy, number of videos.
    """

    temperature: float
    error: float
    bins: tuple[tuple[float, float, int], ...]


def reliabilities(facts: StudyFacts) -> list[tuple[Reliability, Reliability]]:
    """Return for each exit its reliability before and after temperature scaling; empty without logits and labels.

    Temperatures are fitted on calibration, everything shown is measured on test.
    """
    fit, test = facts.scores[facts.chosen.key]
    if not (_single_label(fit) and _single_label(test)):
        return []
    pairs = []
    for k in range(test.num_exits):
        assert fit.logits_ENK is not None
        assert fit.labels_N is not None
        assert test.logits_ENK is not None
        temperature = fit_temperature(fit.logits_ENK[k], fit.labels_N)
        correct_N = test.correct()[k]
        before, after = (
            _reliability(test.logits_ENK[k] / np.float64(t), correct_N, t) for t in (1.0, temperature)
        )
        pairs.append((before, after))
    return pairs


def _single_label(scores: ExitScores) -> bool:
    return scores.logits_ENK is not None and scores.one_label


def _reliability(
    logits_NK: NDArray[np.float64], correct_N: NDArray[np.bool_], temperature: float
) -> Reliability:
    confidence_N = confidence_from_logits("max-softmax", logits_NK)
    bin_N = calibration_bins(confidence_N)
    bins = tuple(
        (float(confidence_N[inside].mean()), float(correct_N[inside].mean()), int(inside.sum()))
        for inside in (bin_N == b for b in range(NUM_BINS))
        if inside.any()
    )
    return Reliability(temperature, expected_calibration_error(confidence_N, correct_N), bins)
