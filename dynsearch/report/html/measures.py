"""What the exit scores of the chosen network say, exit by exit and class by class.

Shapes: E exits, N videos, K classes.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dynsearch.frontier import Interval, top1_interval
from dynsearch.report.html.facts import StudyFacts
from dynsearch.scores import ExitScores
from dynsearch.scores.calibration import (
    NUM_BINS,
    calibration_bins,
    expected_calibration_error,
    fit_temperature,
)
from dynsearch.scores.confidence import confidence_from_logits
from dynsearch.thresholds.groups import GroupView, by_group


@dataclass(frozen=True)
class ExitFigures:
    """One exit of the chosen network, on test.

    Attributes:
        name: Its cell, for instance ``4x5``.
        frames: Frames seen there.
        depth: Depth stages passed.
        cost: Cumulative cost per video.
        threshold: T_k.
        share: Of the videos, those that stop here.
        top1_all: Top-1 if every video stopped here.
        interval: Of ``top1_all``.
        top1_stopping: Top-1 of those that stop here; None where none do.
    """

    name: str
    frames: int
    depth: int
    cost: float
    threshold: float
    share: float
    top1_all: float
    interval: Interval
    top1_stopping: float | None


def exit_figures(facts: StudyFacts) -> list[ExitFigures]:
    """Return the figures of each exit of the chosen point's network."""
    correct_EN = facts.test.correct()
    exit_N = stopping_exit(facts)
    figures = []
    for k, exit_ in enumerate(facts.plan.exits.exits):
        stops_N = exit_N == k
        top1 = float(correct_EN[k].mean())
        figures.append(
            ExitFigures(
                name=str(exit_),
                frames=facts.plan.frames_seen(exit_),
                depth=exit_.depth,
                cost=float(facts.test.cost_E[k]),
                threshold=facts.chosen.test.thresholds[k],
                share=float(stops_N.mean()),
                top1_all=top1,
                interval=top1_interval(top1, len(exit_N)),
                top1_stopping=float(correct_EN[k, stops_N].mean()) if stops_N.any() else None,
            )
        )
    return figures


def stopping_exit(facts: StudyFacts) -> NDArray[np.int64]:
    """Return (N,): the exit at which each test video stops under the chosen policy."""
    policy = facts.chosen.test.policy
    return policy.first_exit(policy.confidence_of(facts.test))


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
    fit, test = facts.calibration, facts.test
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


def class_figures(facts: StudyFacts) -> list[GroupView]:
    """Return a view of each class that occurs on test, by name, the cheapest first; empty for multi-label scores."""
    if not facts.test.one_label:
        return []
    views = by_group(facts.chosen.test.policy, facts.test)
    named = [replace(view, group=facts.class_name(view.group)) for view in views]
    return sorted(named, key=lambda view: (view.cost, view.group))
