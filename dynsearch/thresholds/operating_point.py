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
from dynsearch.scores.spread import Groups, Spread
from dynsearch.thresholds.policy import ExitPolicy

BEYOND_CHANCE = 2.0
"""Standard errors."""
SEVERAL_POINTS = 0.03
"""Of top-1: a point that loses less, but may lose more, is marked."""
_UNSEEN = 0.5  # of a video on which early exits matter, as if it had been seen


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
        expected: The top-1 to expect on new videos, where the solver says more than what was counted.
        loss: Top-1 of full inference on the same videos less this point's, 0..1.
        loss_error: Its standard error, as if both differed on half a video more; 0 for full inference.
        spread: How far the rest may be off, where videos come in groups.
    """

    policy: ExitPolicy
    top1: float
    cost: float
    exit_share: tuple[float, ...]
    num_videos: int
    measure: CostMeasure = COUNTED
    q: float | None = field(default=None, compare=False)
    expected: float | None = field(default=None, compare=False)
    loss: float = field(default=0.0, compare=False)
    loss_error: float = field(default=0.0, compare=False)
    spread: Spread | None = field(default=None, compare=False)

    @property
    def worth(self) -> float:
        """What points are chosen by: the top-1 expected on new videos, or what was counted."""
        return self.top1 if self.expected is None else self.expected

    @property
    def loss_at_most(self) -> float:
        """What it loses against full inference on new videos, at most, but for a chance of one in forty."""
        return self.loss + BEYOND_CHANCE * self.loss_error

    @property
    def doubt(self) -> str:
        """What is said where the videos can't tell its loss against full inference from several points, or nothing."""
        if not self.loss <= SEVERAL_POINTS < self.loss_at_most:
            return ""
        lost = f"{100 * min(self.loss_at_most, 1):.0f} points"
        of = f"video{'s' * (self.num_videos > 1)}" + (
            f" of {self.spread.num_groups} groups" if self.spread else ""
        )
        return f"{self.num_videos} {of} can't tell its loss against full inference from up to {lost}"

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
        } | self._further()

    def to_row(self) -> dict[str, float]:
        """Return a row of a table: cost, top-1, each exit's threshold and its share of the videos."""
        row = {self.measure.name: self.cost, "top1": self.top1}
        row |= {f"threshold_{k}": threshold for k, threshold in enumerate(self.thresholds)}
        row |= {f"exit_share_{k}": share for k, share in enumerate(self.exit_share)}
        return row | self._further()

    def _further(self) -> dict[str, float]:
        known = {"q": self.q, "expected_top1": self.expected}
        return {name: value for name, value in known.items() if value is not None}


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
        points.append(measured(policy, stops_EN, correct_EN, scores.cost_E, scores.measure, scores.groups))
    return points


def measured(
    policy: ExitPolicy,
    stops_EN: Iterable[NDArray[np.bool_]],
    correct_EN: NDArray[np.bool_],
    cost_E: NDArray[np.float64],
    measure: CostMeasure = COUNTED,
    groups: Groups | None = None,
) -> OperatingPoint:
    """Return the operating point of a policy from where each video stops and who is right there."""
    num_videos = correct_EN.shape[1]
    counts: list[int] = []
    right, differing = 0, _UNSEEN
    exit_N = np.zeros(num_videos if groups else 0, dtype=np.intp)
    for correct_N, stops_N in zip(correct_EN, stops_EN, strict=True):
        if groups:
            exit_N[stops_N] = len(counts)
        counts.append(int(np.count_nonzero(stops_N)))
        if counts[-1]:
            right += int(np.count_nonzero(stops_N & correct_N))
            differing += np.count_nonzero(stops_N & (correct_N != correct_EN[-1]))
    early = counts[-1] < num_videos
    share_E = np.array(counts) / num_videos
    loss_error, spread = math.sqrt(differing) / num_videos if early else 0.0, None
    if groups:
        right_N = correct_EN[exit_N, np.arange(num_videos)]
        spread = Spread.of(groups, exit_N, cost_E, right_N)
        lost_G = groups.sums(correct_EN[-1].astype(np.int8) - right_N)
        # Twice it covers 95%, as twice that of independent videos does.
        loss_error = max(loss_error, groups.error(lost_G) * spread.times(0.95) / BEYOND_CHANCE)
    return OperatingPoint(
        policy=policy,
        top1=right / num_videos,
        cost=float(share_E @ cost_E),
        exit_share=tuple(share_E.tolist()),
        num_videos=num_videos,
        measure=measure,
        loss=(int(np.count_nonzero(correct_EN[-1])) - right) / num_videos,
        loss_error=loss_error,
        spread=spread,
    )


class ThresholdSolver(Protocol):
    """The seam for threshold solvers: proposes operating points, of which the caller keeps the non-dominated ones."""

    def __call__(self, scores: ExitScores, *args: Any, **options: Any) -> list[OperatingPoint]:
        """Return operating points for many budgets, measured on labelled ``scores``, in any order.

        Options are by name only: ``confidence`` (a measure's name), and the solver's own.
        """
        ...
