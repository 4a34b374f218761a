"""What optuna-dashboard shows of each trial: a note in Markdown, pictures and exit scores.

Written before a trial is told: Optuna changes nothing of a trial that has ended.
"""

import functools
import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import optuna
from optuna.trial import Trial

from dynsearch.display.frontier_plot import plot_frontier
from dynsearch.frontier import Frontier, share_interval
from dynsearch.plan import Plan
from dynsearch.plan.grid_plot import plot_grid
from dynsearch.report.notes import escape, plan_note, point_note, study_note
from dynsearch.scores import ExitScores
from dynsearch.study.artifacts import artifact_store, attach
from dynsearch.study.folder import StudyFolder
from dynsearch.study.origin import Origin
from dynsearch.study.recipe import StudyRecipe
from dynsearch.thresholds import OperatingPoint

_POINTS_DRAWN = 200


class DashboardNotes:
    """Writes what optuna-dashboard shows; told of every trial before Optuna is.

    Pictures go into the trials' folders. What can't be written is recorded in the trial's attribute ``notes_error``
    and never ends a study.
    """

    def __init__(self, folder: StudyFolder, budget: float) -> None:
        self.folder = folder
        self.budget = budget

    def refused(self, trial: Trial, plan: Plan, reason: str) -> None:
        """Say why in one line; there can be many of these."""
        with _never_fatal(trial):
            _save_note(trial, f"Never trained: {escape(reason)}.\n\n{escape(plan)}")

    def begun(self, trial: Trial, plan: Plan) -> None:
        """Write a note with the plan."""
        with _never_fatal(trial):
            _save_note(trial, plan_note(plan, "Being trained."))

    def failed(self, trial: Trial, plan: Plan, error: str) -> None:
        """Write a note with the reason and the plan."""
        with _never_fatal(trial):
            _save_note(trial, plan_note(plan, f"Failed: {error}"))

    def finished(
        self, trial: Trial, plan: Plan, scores: ExitScores, curve: Frontier, point: OperatingPoint
    ) -> None:
        """Write the note of a measured trial, draw its pictures and attach them with its exit scores."""
        cost_E = [float(value) for value in scores.cost_E]
        full_top1 = float(scores.correct()[-1].mean())
        note = point_note(plan, point, cost_E, self.budget, full_top1=full_top1)
        with _never_fatal(trial):
            _save_note(trial, note)
            self._draw(trial, plan, curve, point, full=(cost_E[-1], full_top1))
            self._attach(trial)

    def _draw(
        self, trial: Trial, plan: Plan, curve: Frontier, point: OperatingPoint, *, full: tuple[float, float]
    ) -> None:
        own = self.folder.trial(trial.number)
        title = f"trial {trial.number}, plan {plan.plan_id}"
        plot_grid(
            plan, own / "grid.png", title=f"{title}: leaving on calibration", exit_share=point.exit_share
        )
        plot_frontier(
            [_row(drawn) for drawn in curve.thin(_POINTS_DRAWN)],
            own / "frontier.png",
            title=f"{title}: on calibration (optimistic)",
            budget=self.budget,
            unit=point.measure,
            full=full,
            chosen=_row(point),
            split="calibration",
        )

    def _attach(self, trial: Trial) -> None:
        own, store = self.folder.trial(trial.number), artifact_store(self.folder)
        for name in ("frontier.png", "grid.png", "scores-calibration.npz", "scores-test.npz"):
            if (own / name).is_file():
                attach(trial, store, own / name)


@contextmanager
def _never_fatal(trial: Trial) -> Iterator[None]:
    """Record what goes wrong inside: a trial took hours, its picture did not."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split())
        trial.set_user_attr("notes_error", f"{type(error).__name__}: {reason}"[:500])


def note_study(study: optuna.Study, recipe: StudyRecipe, origin: Origin | None) -> None:
    """Write the study's note: data set, budget and the commands that ran it."""
    note = study_note(
        dataset=recipe.dataset,
        budget=recipe.budget,
        measure=recipe.measure,
        num_trials=recipe.num_trials,
        seed=recipe.seed,
        num_videos={} if origin is None else origin.num_videos,
        commands=[] if origin is None else origin.commands,
    )
    _save_note(study, note)


def _save_note(about: optuna.Study | Trial, text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        _dashboard_note().save_note(about, text)


@functools.cache
def _dashboard_note() -> ModuleType:
    """Return optuna-dashboard's module of notes alone: with all of it scikit-learn is loaded, 100 MB in a second."""
    package = importlib.util.find_spec("optuna_dashboard")
    assert package is not None
    assert package.submodule_search_locations
    path = Path(package.submodule_search_locations[0]) / "_note.py"
    spec = importlib.util.spec_from_file_location("optuna_dashboard._note", path)
    if not path.is_file() or spec is None or spec.loader is None:  # Another version, laid out otherwise.
        return importlib.import_module("optuna_dashboard")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _row(point: OperatingPoint) -> dict[str, float]:
    low, high = share_interval(point.top1, point.num_videos, point.spread, num_resamples=1000)
    return {
        f"calibration_{point.measure.name}": point.cost,
        "calibration_top1": point.top1,
        "calibration_top1_low": low,
        "calibration_top1_high": high,
    }
