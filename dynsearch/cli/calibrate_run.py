"""What ``dynsearch calibrate`` computes, from a request to a result."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynsearch.cli.calibrate_request import Request
from dynsearch.errors import PolicyError
from dynsearch.frontier import (
    CrossFitted,
    Frontier,
    Interval,
    chance_of_exceeding,
    cost_interval,
    cross_fit,
    safe_best_under,
    solve_thresholds,
    top1_interval,
)
from dynsearch.frontier.choose_confidence import choose_confidence
from dynsearch.scores import ExitScores
from dynsearch.scores.calibration import ExitCalibration, calibrate_exits
from dynsearch.scores.exit_scores import GIVEN_MEASURE
from dynsearch.scores.groups import load_groups
from dynsearch.scores.overlap import check_disjoint
from dynsearch.thresholds import ExitPolicy, OperatingPoint
from dynsearch.thresholds.drift import Drift, check_drift, rematch
from dynsearch.thresholds.groups import GroupView, by_group
from dynsearch.thresholds.policy_metrics import policy_metric
from dynsearch.thresholds.pvalues import enough_videos

_SAFE_DELTA = 0.1
_RESAMPLES = 2000


class Intervals(NamedTuple):
    """95% bootstrap intervals of a point's accuracy (0..1) and mean cost (GFLOPs per video)."""

    top1: Interval
    cost: Interval


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """The answer.

    Args:
        request: What was asked.
        frontier: On the calibration scores.
        confidence: The measure used.
        confidence_values: Cross-fitted value of each measure, when one was chosen among them.
        point: The chosen one, when one was asked for.
        exceeding: Chance that its cost on new videos is above the budget.
        cost_E: The exits' costs.
        applied: The frontier's policies on other scores, in the same order.
        applied_cost_E: The exits' costs there.
        cross_fitted: Honest estimates for the frontier's costs, in the same order.
        temperatures: Of each exit, fitted on calibration, when asked for.
        groups: The chosen point by class or other group.
        point_map: mAP of the chosen point, where videos have several labels.
        applied_map: The same on the other scores.
        drift: Of new videos under the chosen point.
        rematched: The chosen point with restored stop rates.
        notes: For the user, beside the answer.
    """

    request: Request
    frontier: Frontier
    confidence: str
    cost_E: NDArray[np.float64]
    confidence_values: dict[str, float] | None = None
    point: OperatingPoint | None = None
    exceeding: float | None = None
    applied: list[OperatingPoint] | None = None
    applied_cost_E: NDArray[np.float64] | None = None
    cross_fitted: list[CrossFitted] | None = None
    temperatures: list[ExitCalibration] | None = None
    groups: list[GroupView] | None = None
    point_map: float | None = None
    applied_map: float | None = None
    drift: Drift | None = None
    rematched: ExitPolicy | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def chosen(self) -> int | None:
        """The place of the chosen point in the frontier."""
        return None if self.point is None else list(self.frontier).index(self.point)

    def applied_intervals(self, place: int) -> Intervals | None:
        """Return the 95% intervals of an applied point."""
        if self.applied is None or self.applied_cost_E is None:
            return None
        point = self.applied[place]
        return _intervals(point.top1, point.exit_share, self.applied_cost_E, point.num_videos)

    def cross_fitted_intervals(self, place: int) -> Intervals | None:
        """Return the 95% intervals of a cross-fitted estimate."""
        if self.cross_fitted is None:
            return None
        estimate = self.cross_fitted[place]
        return _intervals(estimate.top1, estimate.exit_share, self.cost_E, estimate.num_videos)

    @property
    def final_policy(self) -> ExitPolicy:
        """The policy to use: the rematched one where there is one.

        Raises:
            PolicyError: No point was chosen.
        """
        if self.rematched is not None:
            return self.rematched
        if self.point is None:
            raise PolicyError("no point was chosen", hint="Give --max-gflops")
        return self.point.policy


def run(request: Request) -> Calibration:
    """Return the answer to a request.

    Raises:
        InputError: Some input can't be used; the message says which and why.
    """
    calibration = request.load(request.scores, labelled=True)
    other = None if request.apply_to is None else request.load(request.apply_to, labelled=True)
    notes = [] if other is None else _notes_on(request, calibration, other)
    several = calibration.labels_N is not None and calibration.labels_N.ndim == 2
    if several and request.confidence not in ("max-sigmoid", "auto", GIVEN_MEASURE):
        notes.append("videos with several labels are usually judged by --confidence max-sigmoid")
    options = request.solver_options()
    confidence, values = request.confidence, None
    if confidence == "auto":
        confidence, values = choose_confidence(calibration)
    curve = solve_thresholds(calibration, request.solver, confidence=confidence, **options)
    point = _choose(request, curve, calibration)
    if options.get("max_drop") is not None and set(curve[0].thresholds[:-1]) == {math.inf}:
        enough = 2 * enough_videos(options["max_drop"] / 2, options["max_drop"], options["delta"])
        notes.append(
            f"{calibration.num_videos} videos show this promise of the full network only; thresholds that keep"
            f" it twice over would be shown by about {enough}"
        )
    estimates = None
    if request.cross_fit:
        costs = [p.cost for p in curve]
        estimates = cross_fit(calibration, costs, solver=request.solver, confidence=confidence, **options)
    exceeding = None
    if point is not None and request.budget is not None:
        exceeding = chance_of_exceeding(point, calibration, request.budget)
    return Calibration(
        request=request,
        frontier=curve,
        confidence=confidence,
        cost_E=calibration.cost_E,
        confidence_values=values,
        point=point,
        exceeding=exceeding,
        applied=None if other is None else curve.evaluate(other),
        applied_cost_E=None if other is None else other.cost_E,
        cross_fitted=estimates,
        temperatures=calibrate_exits(calibration) if request.temperatures else None,
        notes=notes,
        **_about_point(request, point, calibration, other),
    )


def _intervals(
    top1: float, exit_share: tuple[float, ...], cost_E: NDArray[np.float64], num_videos: int
) -> Intervals:
    return Intervals(
        top1_interval(top1, num_videos, num_resamples=_RESAMPLES),
        cost_interval(exit_share, cost_E, num_videos, num_resamples=_RESAMPLES),
    )


def _notes_on(request: Request, calibration: ExitScores, other: ExitScores) -> list[str]:
    """Refuse other scores that share videos with the calibration scores; return what else is to be said."""
    notes = []
    if not request.allow_overlap and not check_disjoint(calibration, other):
        notes.append("not both files have video_ids, so shared videos can't be noticed")
    if not np.array_equal(calibration.cost_E, other.cost_E):
        notes.append("the exits' costs differ between the two files; each is measured with its own")
    return notes


def _choose(request: Request, curve: Frontier, calibration: ExitScores) -> OperatingPoint | None:
    if request.promises_accuracy:
        # All points keep the accuracy: the cheapest is the best, if it is cheap enough.
        return curve[0] if request.budget is None else curve.best_under(request.budget)
    if request.budget is None:
        return None
    if request.safe:
        delta = _SAFE_DELTA if request.delta is None else request.delta
        return safe_best_under(curve, calibration, request.budget, delta=delta)
    return curve.best_under(request.budget)


def _about_point(
    request: Request, point: OperatingPoint | None, calibration: ExitScores, other: ExitScores | None
) -> dict[str, Any]:
    if point is None:
        return {}
    about: dict[str, Any] = {}
    for name, scores in (("point_map", calibration), ("applied_map", other)):
        if scores is not None and scores.labels_N is not None and scores.labels_N.ndim == 2:
            about[name] = policy_metric("map", point.policy, scores)
    if request.by_class:
        about["groups"] = by_group(point.policy, calibration)
    if request.by_group is not None:
        names_N = load_groups(request.by_group, request.scores, calibration)
        about["groups"] = by_group(point.policy, calibration, names_N)
    if request.check_on is not None:
        about["drift"] = check_drift(point, request.load(request.check_on))
    if request.rematch_on is not None:
        about["rematched"] = rematch(point, request.load(request.rematch_on))
    return about
