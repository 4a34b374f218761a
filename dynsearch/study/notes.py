"""What optuna-dashboard shows of each trial: a note in Markdown, pictures and exit scores.

Written before a trial is told: Optuna changes nothing of a trial that has ended.
"""

import contextlib
import functools
import importlib.util
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import optuna
from optuna.trial import Trial

from dynsearch.display.frontier_plot import plot_frontier
from dynsearch.display.words import threshold_text
from dynsearch.frontier import Frontier, share_interval
from dynsearch.measures import CostMeasure
from dynsearch.plan import Plan
from dynsearch.plan.grid_plot import plot_grid
from dynsearch.report.notes import escape, plan_note, point_note, screened_note, screening_note, study_note
from dynsearch.scores import ExitScores
from dynsearch.study.artifacts import artifact_store, attach
from dynsearch.study.folder import StudyFolder
from dynsearch.study.learning import Curve, learning_curves
from dynsearch.study.origin import Origin
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.results import StudyResults
from dynsearch.thresholds import OperatingPoint, full_inference
from dynsearch.training.made import SCORES

_POINTS_DRAWN = 200
_PICTURES = ("frontier.png", "grid.png")


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
            own = self.folder.trial(trial.number)
            if not all((own / name).is_file() for name in _PICTURES):
                draw_trial(own, trial.number, plan, scores, curve, point, self.budget)
            self._attach(trial)

    def _attach(self, trial: Trial) -> None:
        own, store = self.folder.trial(trial.number), artifact_store(self.folder)
        for name in (*_PICTURES, *SCORES.values()):
            if (own / name).is_file():
                attach(trial, store, own / name)


def draw_trial(
    folder: Path,
    number: int,
    plan: Plan,
    scores: ExitScores,
    curve: Frontier,
    point: OperatingPoint,
    budget: float,
) -> None:
    """Draw a measured trial's pictures into its folder: its threshold frontier and the plan on its grid."""
    title, full = f"trial {number}, plan {plan.plan_id}", full_inference(scores)
    plot_grid(
        plan, folder / "grid.png", title=f"{title}: leaving on calibration", exit_share=point.exit_share
    )
    plot_frontier(
        [_row(drawn) for drawn in curve.thin(_POINTS_DRAWN)],
        folder / "frontier.png",
        title=f"{title}: on calibration (optimistic)",
        budget=budget,
        unit=point.measure,
        full=(full.cost, full.top1),
        chosen=_row(point),
        split="calibration",
    )


@contextmanager
def _never_fatal(trial: Trial) -> Iterator[None]:
    """Record what goes wrong inside: a trial took hours, its picture did not."""
    try:
        yield
    except Exception as error:
        reason = " ".join(Path(word).name for word in str(error).split())  # Short, for dashboards.
        trial.set_user_attr("notes_error", f"{type(error).__name__}: {reason}"[:90])


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


def note_screening(study: optuna.Study, name: str, measure: CostMeasure) -> None:
    """Write the note of the study that lists what the one-shot network says of plans."""
    _save_note(study, screening_note(name, measure))


def note_screened(
    study: optuna.Study, trial_id: int, plan: Plan, point: OperatingPoint, expected: float
) -> None:
    """Write the note of a plan that was screened, ended or not; ``expected`` is its top-1 on new videos."""
    about = SimpleNamespace(storage=study._storage, study=study, _trial_id=trial_id)
    _save_note(about, screened_note(plan, point, expected))


def show_frontier(study: optuna.Study, folder: StudyFolder, results: StudyResults) -> None:
    """Show the frontier on calibration and learning curves in the dashboard, and the files that a study ends with."""
    figures = {"frontier": _frontier_figure(results)}
    if curves := learning_curves(folder, dict.fromkeys(point.key for point in results.points)):
        figures["learning-curves"] = _learning_figure(curves)
    with warnings.catch_warnings(), contextlib.suppress(OSError):
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        plots = _dashboard("_custom_plot_data")
        for name, figure in figures.items():
            whole = SimpleNamespace(to_json=functools.partial(json.dumps, figure))
            plots.save_plotly_graph_object(study, whole, graph_object_id=name)
        for name in ("frontier.png", "report.html"):
            if (folder.path / name).is_file():
                attach(study, artifact_store(folder, follow=True), folder.path / name)


def _frontier_figure(results: StudyResults) -> dict[str, Any]:
    points, measure = [point.calibration for point in results.points], results.measure
    texts = [
        f"trial {point.key}, exits {results.plans[point.key].exits}<br>"
        f"thresholds {' '.join(map(threshold_text, point.calibration.thresholds[:-1]))}"
        for point in results.points
    ]
    line = _line("frontier", [(point.cost, 100 * point.worth) for point in points]) | {"text": texts}
    title = f"Frontier of {results.kinds}, chosen on calibration"
    return _figure([line], title, measure.axis, "top-1 to expect (%)")


def _learning_figure(curves: Mapping[str, Curve]) -> dict[str, Any]:
    lines = [_line(name, [(epoch, 100 * top1) for epoch, _, top1 in curve]) for name, curve in curves.items()]
    return _figure(
        lines, "Learning curves of what is on the frontier", "epoch", "top-1 on training videos (%)"
    )


def _line(name: str, points: Sequence[tuple[float, float]]) -> dict[str, Any]:
    x, y = zip(*points, strict=True)
    return {"type": "scatter", "mode": "lines+markers", "x": x, "y": y, "name": name}


def _figure(lines: list[dict[str, Any]], title: str, x: str, y: str) -> dict[str, Any]:
    """Return a figure as plotly's own would be written."""
    axes = {f"{axis}axis": {"title": {"text": text}} for axis, text in (("x", x), ("y", y))}
    return {"data": lines, "layout": {"title": {"text": title}, **axes}}


def _save_note(about: Any, text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        _dashboard("_note").save_note(about, text)


@functools.cache
def _dashboard(name: str) -> ModuleType:
    """Return a module of optuna-dashboard alone: with all of it scikit-learn is loaded, 100 MB in a second."""
    package = importlib.util.find_spec("optuna_dashboard")
    assert package is not None
    assert package.submodule_search_locations
    path = Path(package.submodule_search_locations[0]) / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"optuna_dashboard.{name}", path)
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
