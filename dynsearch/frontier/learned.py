"""Frontiers over a learned gain instead of a confidence measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dynsearch.scores import ExitScores
from dynsearch.scores.exit_scores import GIVEN_MEASURE
from dynsearch.scores.gain import LEARNED_GAIN, fit_gain
from dynsearch.thresholds import OperatingPoint


def solve_learned(
    scores: ExitScores, solve: Callable[[ExitScores, str], list[OperatingPoint]]
) -> list[OperatingPoint]:
    """Return operating points whose policies stop by a learned gain.

    Thresholds are chosen on cross-fitted gains, and the points are measured on them, so that learning the
    gain on the same videos does not flatter them; the policies carry the gain fitted on all videos.

    Args:
        scores: Labelled calibration scores.
        solve: A solver of scores and the name of a confidence measure.
    """
    model, gains_EN = fit_gain(scores)
    rescored = replace(scores.reduced(), confidence_EN=gains_EN)
    return [
        replace(point, policy=replace(point.policy, confidence=LEARNED_GAIN, gain=model))
        for point in solve(rescored, GIVEN_MEASURE)
    ]
