"""A study's report, ``report.html``: made from the study's files and nothing else."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from dynsearch.errors import InfeasibleBudgetError
from dynsearch.files import write_text
from dynsearch.frontier import MergedPoint
from dynsearch.report.frontier_table import further_metrics
from dynsearch.report.html import StudyFacts, TrialFacts, render_report, shown_videos
from dynsearch.study.folder import StudyFolder
from dynsearch.study.origin import Origin
from dynsearch.study.record import open_record, plan_of
from dynsearch.study.results import StudyResults, read_results

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
    chosen = _chosen(results, recipe.budget)
    calibration, test = results.scores[chosen.key]
    families = results.families
    return StudyFacts(
        name=folder.name,
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
        calibration=calibration,
        test=test,
        saving=results.saving,
        trials=[_trial(trial, results.left_out) for trial in study.get_trials(deepcopy=False)],
        metrics=[further_metrics(row) for row in results.rows()],
        families={name: part.points for name, part in families.items()} if len(families) > 1 else {},
        hypervolume=list(results.hypervolumes),
    )


def videos_wanted(facts: StudyFacts) -> list[str]:
    """Return the ids of the test videos whose pictures the report shows."""
    return [video.video_id for videos in shown_videos(facts) for video in videos]


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


def _trial(trial: FrozenTrial, left_out: Mapping[int, str]) -> TrialFacts:
    attributes = trial.user_attrs
    plan = plan_of(trial) if "plan" in attributes else ", ".join(f"{k} {v}" for k, v in trial.params.items())
    done = trial.state == TrialState.COMPLETE
    other = f"left out, on other videos: {left_out[trial.number]}" if trial.number in left_out else ""
    return TrialFacts(
        number=trial.number,
        state=_STATES[trial.state],
        plan=str(plan),
        top1=trial.values[0] if done else None,
        cost=trial.values[1] if done else None,
        minutes=max(0.0, trial.duration.total_seconds() / 60) if trial.duration is not None else None,
        reason=other or str(attributes.get("error", attributes.get("refused", ""))),
    )


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
