"""Calibrating an early-exit network, from its exit scores to thresholds and what is known of them."""

import functools
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import starmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.calibration.request import Request
from dynsearch.calibration.result import Calibration, Measured
from dynsearch.errors import InputError, ScoresError, within
from dynsearch.frontier import (
    DEFAULT_SOLVER,
    Frontier,
    Limit,
    chance_of_exceeding,
    safe_best_under,
    solve_thresholds,
)
from dynsearch.frontier import cross_fit as cross_fitted
from dynsearch.frontier.choose_confidence import choose_confidence
from dynsearch.measures import CostMeasure, measure_called
from dynsearch.scores import ExitScores
from dynsearch.scores.calibration import calibrate_exits
from dynsearch.scores.exit_scores import GIVEN_MEASURE
from dynsearch.scores.foreign import meant
from dynsearch.scores.groups import load_groups, with_labels
from dynsearch.scores.overlap import check_disjoint, differences
from dynsearch.scores.spread import groups_note
from dynsearch.scores.suspicions import from_probabilities, suspicions
from dynsearch.scores.tables import is_table, load_scores
from dynsearch.scores.validation import text_array
from dynsearch.thresholds import OperatingPoint, always_exit
from dynsearch.thresholds.drift import check_drift
from dynsearch.thresholds.drift import rematch as restored
from dynsearch.thresholds.groups import GroupView, by_group, policy_metric
from dynsearch.thresholds.operating_point import evaluate_points
from dynsearch.thresholds.pvalues import enough_videos

ScoresLike = ExitScores | str | os.PathLike[str]
"""Exit scores, or their file: ``.npz``, ``.csv`` or ``.parquet``."""

Costing = Callable[[ExitScores], tuple[ExitScores, Sequence[Limit]]]
_SAFE_DELTA = 0.1


def calibrate(
    scores: ScoresLike,
    budget: float | None = None,
    *,
    max_gflops: float | None = None,
    max_ms: float | None = None,
    test: ScoresLike | None = None,
    costs: Sequence[float] | None = None,
    cost_unit: str | CostMeasure | None = None,
    probabilities: bool = False,
    activation: str | None = None,
    solver: str = DEFAULT_SOLVER,
    confidence: str | None = None,
    allow_overlap: bool = False,
    cross_fit: bool = False,
    safe: bool = False,
    max_drop: float | None = None,
    delta: float | None = None,
    temperatures: bool = False,
    by_class: bool = False,
    by: str | Sequence[str] | None = None,
    groups: str | None = None,
    check: ScoresLike | None = None,
    labels: str | os.PathLike[str] | None = None,
    rematch: ScoresLike | None = None,
    costing: Costing = lambda scores: (scores, ()),
    **options: object,
) -> Calibration:
    """Choose the thresholds of an early-exit network from its exit scores.

    Args:
        scores: Labelled scores of videos that neither training nor testing touches, or their file.
        budget: Mean cost per video of the point wanted; None chooses none, except with the solver ``risk``.
        max_gflops: The same, as it is spelled where costs are GFLOPs.
        max_ms: The same, as it is spelled where costs are milliseconds.
        test: Labelled scores of other videos, to measure the points on.
        costs: For a CSV or Parquet table: cumulative cost of each exit.
        cost_unit: What costs are in, for instance ``ms``, where a file does not say; None means GFLOPs.
        probabilities: What ``logits`` hold are probabilities; their logarithm is taken.
        activation: ``softmax`` or ``sigmoid``: what the network's loss made probabilities of the logits by; mAP ranks
            these. None takes what the file says, or else sigmoid where videos have several labels.
        solver: A name of ``dynsearch.SOLVERS``.
        confidence: A measure's name, ``given``, ``learned-gain``, or ``auto``, which takes the best of them by
            cross-validation; None takes the largest probability by ``activation``.
        allow_overlap: Accept ``test`` scores that share videos with ``scores``.
        cross_fit: Also estimate accuracy and cost on new videos from ``scores`` alone.
        safe: Keep the budget on new videos too, with chance 1 - ``delta``.
        max_drop: With the solver ``risk``: top-1 at most this far (0.01 is one point) below the full network's.
        delta: Chance left for ``safe`` (0.1) and the solver ``risk`` (0.05) not to hold.
        temperatures: Also fit each exit's temperature.
        by_class: Also look at the chosen point class by class.
        by: The same for other groups: a column of the table, a file with columns ``video_id`` and ``group``, or the
            group of each video.
        groups: What videos share with others (people, cameras, source files), for all scores that are files: a column
            of the tables, or a file with columns ``video_id`` and ``group``. Intervals, promises, tests count groups.
        check: Scores of new videos: whether they stop as expected, and, if they are labelled, are as often right.
        labels: Classes of some of these videos: a file with columns ``video_id`` and ``label``.
        rematch: Unlabelled scores of new videos: thresholds that restore the stop rates.
        costing: From scores, as they are read, to the same with other costs, and the limits besides the budget.
        options: The solver's own.

    Raises:
        InputError: Some input can't be used, or wishes don't go together; the message says which and why.
        InfeasibleBudgetError: Every point costs more than the budget.
    """
    request = Request(
        budget=next((given for given in (budget, max_gflops, max_ms) if given is not None), None),
        solver=solver,
        confidence=confidence,
        allow_overlap=allow_overlap,
        cross_fit=cross_fit,
        safe=safe,
        max_drop=max_drop,
        delta=delta,
        temperatures=temperatures,
        by_class=by_class,
        by=by,
        options=options,
    )
    if labels is not None and check is None:
        raise InputError("labels are those of the videos to check", hint="Give their scores with --check")
    if not request.chooses_a_point:
        wishes = {"by": by, "check": check, "labels": labels, "rematch": rematch, "safe": safe or None}
        for name, wanted in {"by_class": by_class or None, **wishes}.items():
            if wanted is not None:
                raise InputError(f"{name} is about one point", hint="Choose it with a budget")
    read = functools.partial(
        _read, costs=costs, unit=cost_unit, probabilities=probabilities, activation=activation, groups=groups
    )
    calibration, limits = costing(read(scores, labelled=True))
    calibration.measure.one_budget(budget, max_gflops=max_gflops, max_ms=max_ms)
    other = None if test is None else costing(read(test, labelled=True))[0]
    checked, rematching = (None if new is None else costing(read(new))[0] for new in (check, rematch))
    notes = _notes_on(request, calibration, {"applied": other, "checked": checked, "rematched": rematching})
    notes += _note_on_budget(request.budget, calibration)
    found = _found(request, calibration, other, limits, notes)
    point = found.point
    if point is None:
        return found
    views, said = _groups(request, point, scores, calibration)
    doubt = [point.doubt] if point.doubt else []
    labelled = checked if checked is not None and checked.has_truth else None
    if labels is not None and checked is not None:
        labelled = with_labels(checked, labels)
    return replace(
        found,
        notes=[*found.notes, *said, *doubt],
        groups=views,
        drift=None if checked is None else check_drift(point, checked, labelled),
        rematched=None if rematching is None else restored(point, rematching),
        point_map=_map(point, calibration),
        applied_map=_map(point, other),
    )


def _found(
    request: Request,
    calibration: ExitScores,
    other: ExitScores | None,
    limits: Sequence[Limit],
    notes: list[str],
) -> Calibration:
    """Return the frontier and the chosen point, each with what is known of it."""
    options: dict[str, Any] = request.solver_options() | {"limits": limits}
    confidence, values = request.confidence, None
    if confidence is None:
        confidence = calibration.default_confidence
    usual = (calibration.default_confidence, "auto", GIVEN_MEASURE)
    if calibration.several_labels and not calibration.activation:
        notes.append(
            "taken for sigmoids, which do not exclude each other: --confidence max-sigmoid, and so mAP ranks; for a"
            " network trained with softmax say --activation softmax"
        )
    elif calibration.several_labels and confidence not in usual:
        notes.append(f"videos with several labels are usually judged by --confidence {usual[0]}")
    if confidence == "auto":
        confidence, values = choose_confidence(calibration)
    curve = solve_thresholds(calibration, request.solver, confidence=confidence, **options)
    how = {"solver": request.solver, "confidence": confidence, **options}
    point = _choose(request, curve, calibration, how)
    if point is not None:
        notes += [limit.said(point) for limit in limits]
    if options.get("max_drop") is not None and set(curve[0].thresholds[:-1]) == {math.inf}:
        enough = enough_videos(options["max_drop"] / 2, options["max_drop"], options["delta"] / 2)
        notes.append(
            f"{calibration.num_videos} videos show this promise of the full network only; thresholds that keep"
            f" it twice over would be shown by about {enough}"
        )
    estimates = None
    if request.cross_fit:
        costs = [p.cost for p in curve]
        estimates = cross_fitted(calibration, costs, **how)
    temperatures = calibrate_exits(calibration) if request.temperatures else None
    for k, found in enumerate(temperatures or (), start=1):
        notes += [f"exit {k}: {remark}" for remark in found.remarks()]
    exceeding = None
    if point is not None and request.budget is not None:
        exceeding = chance_of_exceeding(point, calibration, request.budget)
    return Calibration(
        request=request,
        frontier=curve,
        confidence=confidence,
        cost_E=calibration.cost_E,
        always=_measured(always_exit(calibration), other),
        schedule=_measured([point for point in curve.candidates if point.q is not None], other),
        activation=calibration.activated_by,
        confidence_values=values,
        point=point,
        exceeding=exceeding,
        applied=None if other is None else curve.evaluate(other),
        applied_cost_E=None if other is None else other.cost_E,
        cross_fitted=estimates,
        temperatures=temperatures,
        notes=notes,
    )


def _measured(points: list[OperatingPoint], other: ExitScores | None) -> list[Measured]:
    """Return points with what they are worth on other scores."""
    applied = [None] * len(points) if other is None else evaluate_points(points, other)
    return list(starmap(Measured, zip(points, applied, strict=True)))


def _read(
    scores: ScoresLike,
    *,
    costs: Sequence[float] | None,
    unit: str | CostMeasure | None,
    probabilities: bool,
    activation: str | None,
    groups: str | None,
    labelled: bool = False,
) -> ExitScores:
    """Return scores that may be given as a file; ``costs`` are those of a table, ``unit`` is theirs."""
    where = None
    if not isinstance(scores, ExitScores):
        where = os.fspath(scores)
        measure = measure_called(unit) if isinstance(unit, str) else unit
        scores = load_scores(scores, costs if is_table(scores) else None, measure)
    scores.check_complete()
    if groups is not None and where is not None:
        scores = replace(scores, groups_N=load_groups(groups, where, scores, blank_as="")[0])
    if labelled and not scores.has_truth:
        near = [] if where is None or is_table(where) else meant(where)
        raise ScoresError(
            "unlabelled, so there is no accuracy",
            where=where,
            hint=(f"Did you mean {'; '.join(near)}? " if near else "")
            + "Add correct (exits, videos), or labels beside logits",
        )
    scores = replace(scores, activation=activation) if activation else scores
    return from_probabilities(scores) if probabilities else scores


def _notes_on(
    request: Request, calibration: ExitScores, others: Mapping[str, ExitScores | None]
) -> list[str]:
    """Refuse scores that do not go with the calibration scores; return what else looks wrong, in words."""
    notes = [
        f"calibration scores: {said}" for said in (*_split(calibration, _FITTED), *suspicions(calibration))
    ]
    for name, each in {"calibration": calibration, **others}.items():
        names_N = None if each is None else each.groups_N
        if each is not None and each.groups is not None:
            notes.append(f"{name} scores: {groups_note(each.num_videos, len(each.groups))}")
        if names_N is not None and (blank := np.count_nonzero(np.char.strip(names_N) == "")):
            notes.append(
                f"{name} scores: {blank} of {len(names_N)} videos have no group, and count as one each"
            )
    for name, other in others.items():
        if other is None:
            continue
        with within(f"{name} scores"):
            found = differences(calibration, other)
        if name == "applied":
            found += _split(other, _APPLIED)
            if not request.allow_overlap and not check_disjoint(calibration, other):
                notes.append("not both files have video_ids, so shared videos can't be noticed")
        notes += [f"{name} scores: {said}" for said in (*found, *suspicions(other))]
    return notes


_FITTED = {
    "test": "a point chosen on test videos looks better than it is: fit on calibration videos, and --apply to these",
    "train": "a network is surer of videos that it was trained on: fit on videos that it has not seen",
}
_APPLIED = {
    "calibration": "results are to be claimed on test videos",
    "train": "a network is surer of videos that it was trained on",
}


def _split(scores: ExitScores, wrong: Mapping[str, str]) -> list[str]:
    """Return why the split that the scores name is not one for their part."""
    return [
        f"their split is {scores.split}: {why}"
        for split, why in wrong.items()
        if scores.split.lower().removesuffix("ing") == split
    ]


def _note_on_budget(budget: float | None, scores: ExitScores) -> list[str]:
    """Return what is to be said of a budget that limits nothing; one in another unit may be meant."""
    first, last = scores.cost_E[[0, -1]]
    if budget is None or not last < budget < math.inf:
        return []
    meant = [budget / factor for factor in (1e3, 1e6, 1e9) if first <= budget / factor <= last]
    said = f"{scores.measure.budget_name}={budget:g} limits nothing: exits cost {first:.6g} to {last:.6g}"
    return [f"{said} {scores.measure.per_video}" + (f". Did you mean {meant[0]:g}?" if meant else "")]


def _choose(
    request: Request, curve: Frontier, calibration: ExitScores, how: Mapping[str, Any]
) -> OperatingPoint | None:
    if request.promises_accuracy:
        # All points keep the accuracy: the cheapest is the best, if it is cheap enough.
        return curve[0] if request.budget is None else curve.best_under(request.budget)
    if request.budget is None:
        return None
    if request.safe:
        delta = _SAFE_DELTA if request.delta is None else request.delta
        return safe_best_under(curve, calibration, request.budget, delta=delta, **how)
    return curve.best_under(request.budget)


def _map(point: OperatingPoint, scores: ExitScores | None) -> float | None:
    return None if scores is None or not scores.several_labels else policy_metric("map", point.policy, scores)


def _groups(
    request: Request, point: OperatingPoint, scores: ScoresLike, calibration: ExitScores
) -> tuple[list[GroupView] | None, list[str]]:
    """Return a view of each group that is asked for, and what is to be said of the groups."""
    notes: list[str] = []
    groups: NDArray[Any] | None = None
    if isinstance(request.by, str):
        path = "scores" if isinstance(scores, ExitScores) else scores
        groups, notes = load_groups(request.by, path, calibration)
    elif request.by is not None:
        groups = np.asarray(request.by)
        groups = groups if groups.dtype.kind in "biu" else text_array("by", groups)
    elif not request.by_class:
        return None, notes
    return by_group(point.policy, calibration, groups), notes
