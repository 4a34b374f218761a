"""OperatingPoint: accuracy and mean cost of one plan under one policy.

Shapes: E exits, N videos.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dynsearch.measures import COUNTED, CostMeasure, one_measure
from dynsearch.scores import ExitScores
from dynsearch.scores.gain import GainModel
from dynsearch.thresholds.policy import ExitPolicy


@dataclass(frozen=True)
class OperatingPoint:
    """What a policy achieves on some exit scores.

    Args:
        policy: The thresholds and their confidence measure.
        top1: Share of videos whose answer, at the exit where they stop, is right (0..1).
        cost: Mean cost per video.
        exit_share: Share of videos that stop at each exit; sums to 1.
        num_videos: How many videos it was measured on.
        measure: What the cost is in.
        q: The ratio of the geometric schedule that it comes from, if it does.
    """

    policy: ExitPolicy
    top1: float
    cost: float
    exit_share: tuple[float, ...]
    num_videos: int
    measure: CostMeasure = COUNTED
    q: float | None = field(default=None, compare=False)

    @property
    def gflops(self) -> float:
        """The mean cost, where it is counted."""
        return self.measure.only("gflops", self.cost)

    @property
    def thresholds(self) -> tuple[float, ...]:
        """T_k of every exit."""
        return self.policy.thresholds

    @property
    def plan_id(self) -> str:
        """The plan the policy was fitted for; empty when unknown."""
        return self.policy.plan_id

    def evaluate(self, scores: ExitScores) -> OperatingPoint:
        """Return the same policy measured on other scores; InputError where their costs are in another measure."""
        return evaluate_points([self], scores)[0]

    def to_dict(self) -> dict[str, object]:
        """Return plain values, for JSON and tables."""
        return {
            "thresholds": list(self.thresholds),
            "top1": self.top1,
            self.measure.name: self.cost,
            "exit_share": list(self.exit_share),
        } | ({} if self.q is None else {"q": self.q})

    def to_row(self) -> dict[str, float]:
        """Return a row of a table: cost, top-1, each exit's threshold and its share of the videos."""
        row = {self.measure.name: self.cost, "top1": self.top1}
        row |= {f"threshold_{k}": threshold for k, threshold in enumerate(self.thresholds)}
        row |= {f"exit_share_{k}": share for k, share in enumerate(self.exit_share)}
        return row if self.q is None else row | {"q": self.q}


def evaluate_policy(policy: ExitPolicy, scores: ExitScores) -> OperatingPoint:
    """Return what ``policy`` achieves on ``scores``.

    Raises:
        PolicyError: The policy does not fit the scores.
        ScoresError: The scores are unlabelled or lack what the confidence measure needs.
    """
    return evaluate_policies([policy], scores)[0]


def evaluate_points(points: Iterable[OperatingPoint], scores: ExitScores) -> list[OperatingPoint]:
    """Return the policies of ``points`` measured on other scores, in their order; errors as the points' own."""
    points = list(points)
    one_measure([*points, scores])
    found = evaluate_policies([point.policy for point in points], scores)
    return [replace(now, q=point.q) for now, point in zip(found, points, strict=True)]


def full_inference(scores: ExitScores) -> OperatingPoint:
    """Return what sending every video to the last exit achieves on ``scores``; errors as :func:`evaluate_policy`."""
    return always_exit(scores)[-1]


def always_exit(scores: ExitScores) -> list[OperatingPoint]:
    """Return what each exit achieves on ``scores`` if every video stops there; errors as :func:`evaluate_policy`."""
    count = scores.num_exits
    every = [(math.inf,) * k + (-math.inf,) * (count - k) for k in range(count)]
    return evaluate_policies([ExitPolicy(each, plan_id=scores.plan_id) for each in every], scores)


def evaluate_policies(policies: Iterable[ExitPolicy], scores: ExitScores) -> list[OperatingPoint]:
    """Return what each policy achieves on ``scores``; confidences are computed once per measure."""
    correct_EN = scores.correct()
    confidence_of: dict[tuple[str, GainModel | None], NDArray[np.float64]] = {}
    points = []
    for policy in policies:
        policy.check_fits(scores.num_exits, scores.plan_id)
        key = (policy.confidence, policy.gain)
        if key not in confidence_of:
            confidence_of[key] = policy.confidence_of(scores)
        stops_EN = policy.stops(confidence_of[key])
        points.append(measured(policy, stops_EN, correct_EN, scores.cost_E, scores.measure))
    return points


def measured(
    policy: ExitPolicy,
    stops_EN: Iterable[NDArray[np.bool_]],
    correct_EN: NDArray[np.bool_],
    cost_E: NDArray[np.float64],
    measure: CostMeasure = COUNTED,
) -> OperatingPoint:
    """Return the operating point of a policy from where each video stops and who is right there."""
    num_videos = correct_EN.shape[1]
    counts, right = [], 0
    for correct_N, stops_N in zip(correct_EN, stops_EN, strict=True):
        counts.append(int(np.count_nonzero(stops_N)))
        if counts[-1]:
            right += int(np.count_nonzero(stops_N & correct_N))
    share_E = np.array(counts) / num_videos
    return OperatingPoint(
        policy=policy,
        top1=right / num_videos,
        cost=float(share_E @ cost_E),
        exit_share=tuple(share_E.tolist()),
        num_videos=num_videos,
        measure=measure,
    )


class ThresholdSolver(Protocol):
    """The seam for threshold solvers: proposes operating points, of which the caller keeps the non-dominated ones."""

    def __call__(self, scores: ExitScores, *args: Any, **options: Any) -> list[OperatingPoint]:
        """Return operating points for many budgets, measured on labelled ``scores``, in any order.

        Options are by name only: ``confidence`` (a measure's name), and the solver's own.
        """
        ...
