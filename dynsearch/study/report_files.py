"""A study's report, ``report.html``: made from the study's files and nothing else."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from dynsearch.errors import InfeasibleBudgetError, StudyError
from dynsearch.files import write_text
from dynsearch.frontier import MergedPoint
from dynsearch.report.frontier_table import further_metrics
from dynsearch.report.html import OneShotFacts, OtherStudy, StudyFacts, TrialFacts, render_report
from dynsearch.scores.overlap import of_same_videos
from dynsearch.study.folder import StudyFolder
from dynsearch.study.hours import seconds_of
from dynsearch.study.learning import learning_curves, one_shot_folders, seconds_of_training
from dynsearch.study.origin import Origin
from dynsearch.study.predictions import expected_top1
from dynsearch.study.record import failure_of, finished, has_plan, open_record, plan_of
from dynsearch.study.results import StudyResults, read_results

_CURVE = 60  # points of a plan's own frontier
_STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.FAIL: "failed",
    TrialState.PRUNED: "refused",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


def read_facts(folder: StudyFolder, results: StudyResults | None = None) -> StudyFacts:
    """Return what the study's files tell; ``results`` is what it found, where that was gathered already.

    Raises:
        StudyError: No trial has finished, or a file can't be read.
    """
    recipe, origin = folder.recipe(), Origin.of_study(folder)
    study = open_record(folder)
    if results is None:
        results = read_results(study, folder, solver=recipe.solver)
    trials = study.get_trials(deepcopy=False)
    chosen = _chosen(results, recipe.budget)
    families = results.families
    facts = StudyFacts(
        name=folder.name,
        source=folder.name if folder.path.parent == Path("studies") else str(folder.path),
        dataset=recipe.dataset,
        budget=recipe.budget,
        measure=results.measure,
        seed=recipe.seed,
        settings=dict(_flat(recipe.resolved())),
        versions=folder.read_study_file().get("versions", {}),
        commands=[] if origin is None else origin.commands,
        class_names=[] if origin is None else origin.class_names,
        num_videos={} if origin is None else origin.num_videos,
        plans=results.plans,
        points=results.points,
        chosen=chosen,
        scores=results.scores,
        saving=results.saving,
        shared=results.shared,
        trials=[_trial(folder, trial, results.left_out) for trial in trials],
        metrics=[further_metrics(row) for row in results.rows()],
        families={name: part.points for name, part in families.items()} if len(families) > 1 else {},
        hypervolume=list(results.hypervolumes),
        made=_made(folder, trials),
    )
    curves = {}
    for number in facts.shown:
        curve = results.curves[number]
        curves[number] = (curve.thin(_CURVE) if len(curve) > _CURVE else curve).evaluate(
            results.scores[number][1]
        )
    return replace(
        facts,
        curves=curves,
        learning=learning_curves(folder, facts.shown),
        one_shot=_one_shot(folder, results, facts),
    )


def beside(facts: StudyFacts, others: Sequence[StudyFolder]) -> StudyFacts:
    """Return the facts of a study with those of others that it is compared with.

    Raises:
        StudyError: One's costs are in another measure, or it has no results.
    """
    return replace(facts, others=[_other(facts, folder) for folder in others])


def _other(facts: StudyFacts, folder: StudyFolder) -> OtherStudy:
    results, remark = read_beside(facts.name, facts, folder)
    return OtherStudy(
        name=folder.name,
        dataset=folder.recipe().dataset,
        points=results.points,
        plans={number: str(plan) for number, plan in results.plans.items()},
        saving=results.saving,
        remark=remark,
    )


def read_beside(name: str, first: StudyFacts | StudyResults, folder: StudyFolder) -> tuple[StudyResults, str]:
    """Return what a study found, and what speaks against comparing it with the ``first``, if anything does.

    Raises:
        StudyError: Its costs are in another measure, or it has no results.
    """
    results = read_results(open_record(folder), folder, solver=folder.recipe().solver)
    if results.measure != first.measure:
        raise StudyError(
            f"its costs, in {results.measure.unit}, can't be shown beside those of {name}, in {first.measure.unit}",
            where=folder.name,
            hint="Compare studies of one measure",
        )
    tests = (found.scores[found.points[0].key][1] for found in (first, results))
    return results, "" if of_same_videos(*tests) else (
        "measured on other test videos: its accuracies can't be compared"
    )


def write_report(facts: StudyFacts, path: Path, thumbnails: Mapping[str, bytes]) -> None:
    """Write the report to an HTML file.

    ``thumbnails`` are JPEG pictures by video id; videos without one are shown in words.
    """
    write_text(path, render_report(replace(facts, thumbnails=dict(thumbnails))))


def _chosen(results: StudyResults, budget: float) -> MergedPoint[int]:
    """Return the best point under the budget, or the cheapest where all cost more."""
    try:
        return results.best_under(budget)
    except InfeasibleBudgetError:
        return results.points[0]


def _trial(folder: StudyFolder, trial: FrozenTrial, left_out: Mapping[int, str]) -> TrialFacts:
    plan = plan_of(trial) if has_plan(trial) else ", ".join(f"{k} {v}" for k, v in trial.params.items())
    done = trial.state == TrialState.COMPLETE
    other = f"left out, on other videos: {left_out[trial.number]}" if trial.number in left_out else ""
    return TrialFacts(
        number=trial.number,
        state=_STATES[trial.state],
        plan=str(plan),
        top1=trial.values[0] if done else None,
        cost=trial.values[1] if done else None,
        minutes=_seconds(folder, trial) / 60 if trial.duration is not None else None,
        reason=other or failure_of(trial) or str(trial.user_attrs.get("refused", "")),
    )


def _seconds(folder: StudyFolder, trial: FrozenTrial) -> float:
    """Return how long a trial was trained; how long it took where that is not written, as of shared weights."""
    trained = seconds_of_training(folder.trial(trial.number))
    return trained or max(0.0, (trial.duration or timedelta()).total_seconds())


def _one_shot(folder: StudyFolder, results: StudyResults, facts: StudyFacts) -> OneShotFacts | None:
    """Return what the one-shot network promised; None where there was none, or nothing is left of it."""
    if not results.predictions:
        return None
    reached = {trial.number: trial.cost for trial in facts.trials if trial.cost is not None}
    promised = {
        number: expected_top1(results.predictions[number], [reached[number]], results.confidence)[0]
        for number in facts.shown
        if number in results.predictions and number in reached
    }
    try:
        screened = [(t.values[1], t.values[0]) for t in finished(open_record(folder, part="screening"))]
    except StudyError:
        screened = []
    tau = results.one_shot_tau()
    return OneShotFacts(
        tau=None if math.isnan(tau) else tau,
        screened=screened,
        promised={number: top1 for number, top1 in promised.items() if not math.isnan(top1)},
    )


def _made(folder: StudyFolder, trials: Sequence[FrozenTrial]) -> dict[str, str]:
    """Return when and where the study ran, and how long its trainings took."""
    begun = [trial.datetime_start for trial in trials if trial.datetime_start]
    ended = [trial.datetime_complete for trial in trials if trial.datetime_complete]
    before = sum(map(seconds_of_training, one_shot_folders(folder))) / 3600
    total = before + sum(_seconds(folder, trial) for trial in trials) / 3600
    made = {"first trial began": _day(begun and min(begun)), "last trial ended": _day(ended and max(ended))}
    if every := seconds_of(folder):
        made["hours of all runs"] = f"{every / 3600:.2f}"
    made["hours of training"] = f"{total:.2f}" + f", {before:.2f} of them the one-shot network" * bool(before)
    machine = folder.read_study_file().get("machine")
    if isinstance(machine, dict):
        gpu_names = ", ".join(map(str, machine.get("gpus") or []))
        made["machine"] = (
            f"{machine.get('processor')}, {machine.get('cores')} cores" + f", {gpu_names}" * bool(gpu_names)
        )
        gpus = folder.recipe().workers_per_trial if machine.get("gpus") else 0
        made["GPU hours"] = f"{gpus * total:.2f}" if gpus else "none, it ran without a GPU"
    return {name: value for name, value in made.items() if value}


def _day(moment: Any) -> str:
    return moment.strftime("%Y-%m-%d %H:%M") if isinstance(moment, datetime) else ""


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
