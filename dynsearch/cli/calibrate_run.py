"""What ``dynsearch calibrate`` computes, from a request to a result."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dynsearch.errors import InputError, PolicyError
from dynsearch.frontier import (
    CrossFitted,
    Frontier,
    chance_of_exceeding,
    cross_fit,
    safe_best_under,
    solve_thresholds,
)
from dynsearch.frontier.choose_confidence import choose_confidence
from dynsearch.scores import ExitScores
from dynsearch.scores.calibration import ExitCalibration, calibrate_exits
from dynsearch.scores.overlap import check_disjoint
from dynsearch.scores.tables import load_scores
from dynsearch.thresholds import ExitPolicy, OperatingPoint
from dynsearch.thresholds.drift import Drift, check_drift, rematch
from dynsearch.thresholds.groups import GroupView, by_group
from dynsearch.thresholds.multi_label import policy_map
from dynsearch.thresholds.pvalues import enough_videos

_SAFE_DELTA = 0.1
_RISK_DELTA = 0.05


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of the command; see its help."""

    scores: Path
    max_gflops: float | None = None
    solver: str = "frontier"
    confidence: str = "max-softmax"
    gmacs: str | None = None
    apply_to: Path | None = None
    allow_overlap: bool = False
    cross_fit: bool = False
    safe: bool = False
    max_drop: float | None = None
    delta: float | None = None
    temperatures: bool = False
    by_class: bool = False
    check_on: Path | None = None
    rematch_on: Path | None = None

    def __post_init__(self) -> None:
        if self.max_drop is not None and self.solver != "risk":
            raise InputError("--max-drop is a promise of --solver risk", hint="Add --solver risk")
        if self.delta is not None and self.solver != "risk" and not self.safe:
            raise InputError("--delta is for --safe or --solver risk")
        if self.safe and self.solver == "risk":
            raise InputError("--solver risk makes its own promise; leave out --safe")

    @property
    def chooses_a_point(self) -> bool:
        """Whether one point is chosen: by a budget, or as the cheapest that keeps a promise."""
        return self.max_gflops is not None or self.solver == "risk"

    def load(self, path: Path) -> ExitScores:
        """Read scores; the costs of a table are the request's."""
        table = path.suffix.lower() in (".csv", ".parquet")
        return load_scores(path, self._gmacs() if table else None)

    def _gmacs(self) -> list[float] | None:
        if self.gmacs is None:
            return None
        try:
            return [float(part) for part in self.gmacs.split(",")]
        except ValueError as error:
            raise InputError(f"--gmacs must be numbers such as 4,8,13, got {self.gmacs!r}") from error


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The answer.

    Args:
        request: What was asked.
        frontier: On the calibration scores.
        confidence: The measure used.
        confidence_values: Cross-fitted value of each measure, when one was chosen among them.
        point: The chosen one, when one was asked for.
        exceeding: Chance that its cost on new videos is above the budget.
        applied: The frontier's policies on other scores, in the same order.
        cross_fitted: Honest estimates for the frontier's costs, in the same order.
        temperatures: Of each exit, fitted on calibration, when asked for.
        classes: The chosen point by class.
        point_map: mAP of the chosen point, where videos have several labels.
        applied_map: The same on the other scores.
        drift: Of new videos under the chosen point.
        rematched: The chosen point with restored stop rates.
        notes: For the user, beside the answer.
    """

    request: Request
    frontier: Frontier
    confidence: str
    confidence_values: dict[str, float] | None = None
    point: OperatingPoint | None = None
    exceeding: float | None = None
    applied: list[OperatingPoint] | None = None
    cross_fitted: list[CrossFitted] | None = None
    temperatures: list[ExitCalibration] | None = None
    classes: list[GroupView] | None = None
    point_map: float | None = None
    applied_map: float | None = None
    drift: Drift | None = None
    rematched: ExitPolicy | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def chosen(self) -> int | None:
        """The place of the chosen point in the frontier."""
        return None if self.point is None else list(self.frontier).index(self.point)

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
    calibration = request.load(request.scores)
    other = None if request.apply_to is None else request.load(request.apply_to)
    notes = []
    if other is not None and not request.allow_overlap and not check_disjoint(calibration, other):
        notes.append("not both files have video_ids, so shared videos can't be noticed")
    options = _solver_options(request)
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
        costs = [p.gflops for p in curve]
        estimates = cross_fit(calibration, costs, solver=request.solver, confidence=confidence, **options)
    exceeding = None
    if point is not None and request.max_gflops is not None:
        exceeding = chance_of_exceeding(point, calibration, request.max_gflops)
    return Calibration(
        request=request,
        frontier=curve,
        confidence=confidence,
        confidence_values=values,
        point=point,
        exceeding=exceeding,
        applied=None if other is None else curve.evaluate(other),
        cross_fitted=estimates,
        temperatures=calibrate_exits(calibration) if request.temperatures else None,
        notes=notes,
        **_about_point(request, point, calibration, other),
    )


def _solver_options(request: Request) -> dict[str, Any]:
    if request.solver != "risk":
        return {}
    delta = _RISK_DELTA if request.delta is None else request.delta
    if request.max_drop is not None or request.max_gflops is None:
        return {"max_drop": request.max_drop, "delta": delta}
    return {"max_gflops": request.max_gflops, "delta": delta}


def _choose(request: Request, curve: Frontier, calibration: ExitScores) -> OperatingPoint | None:
    if request.solver == "risk" and (request.max_drop is not None or request.max_gflops is None):
        # All points keep the accuracy: the cheapest is the best, if it is cheap enough.
        return curve[0] if request.max_gflops is None else curve.best_under(request.max_gflops)
    if request.max_gflops is None:
        return None
    if request.safe:
        delta = _SAFE_DELTA if request.delta is None else request.delta
        return safe_best_under(curve, calibration, request.max_gflops, delta=delta)
    return curve.best_under(request.max_gflops)


def _about_point(
    request: Request, point: OperatingPoint | None, calibration: ExitScores, other: ExitScores | None
) -> dict[str, Any]:
    if point is None:
        return {}
    about: dict[str, Any] = {}
    for name, scores in (("point_map", calibration), ("applied_map", other)):
        if scores is not None and scores.labels_N is not None and scores.labels_N.ndim == 2:
            about[name] = policy_map(point.policy, scores)
    if request.by_class:
        about["classes"] = by_group(point.policy, calibration)
    if request.check_on is not None:
        about["drift"] = check_drift(point, request.load(request.check_on))
    if request.rematch_on is not None:
        about["rematched"] = rematch(point, request.load(request.rematch_on))
    return about
