"""Studies from Python: running one, and what it found."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dynsearch.api.events import CallbackProgress, StudyEvent
from dynsearch.api.export import export_point
from dynsearch.api.progress import StudyProgress, study_progress
from dynsearch.api.report import make_report
from dynsearch.data.dataset_info import DatasetInfo
from dynsearch.errors import DynsearchError, InputError
from dynsearch.export.bundle import Bundle
from dynsearch.frontier import MergedPoint
from dynsearch.plan import Plan
from dynsearch.plugins import import_plugins, imported
from dynsearch.search.engines.slot import warm_up
from dynsearch.search.loggers import open_loggers
from dynsearch.search.price import price_of
from dynsearch.search.run import run_study as carry_out
from dynsearch.study.folder import StudyFolder
from dynsearch.study.frontier_files import draw_on
from dynsearch.study.hours import Hours
from dynsearch.study.notes import show_frontier
from dynsearch.study.origin import Origin
from dynsearch.study.other_costs import under
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.recipe_file import load_recipe, recipe_name
from dynsearch.study.record import open_record
from dynsearch.study.results import StudyResults, read_results, spread
from dynsearch.study.run_settings import RunSettings
from dynsearch.study.source import open_clips
from dynsearch.training.source import DatasetClips

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

_ROWS_SHOWN = 12


@dataclass(frozen=True, repr=False)
class Study:
    """A study and what it found.

    Attributes:
        folder: Where its files lie.
        recipe: What decides its results.
        results: All finished trials, measured.
    """

    folder: StudyFolder
    recipe: StudyRecipe
    results: StudyResults

    @classmethod
    def open(cls, name: str, root: str | os.PathLike[str] = "studies") -> Study:
        """Open a study that has been started, by its name or its folder.

        Raises:
            StudyError: There is none, or no trial of it has finished.
        """
        folder = StudyFolder.existing(name, Path(root))
        recipe = folder.recipe()
        return cls(folder, recipe, read_results(open_record(folder), folder, solver=recipe.solver))

    @property
    def name(self) -> str:
        """Its name."""
        return self.folder.name

    @property
    def points(self) -> Sequence[MergedPoint[int]]:
        """The frontier: chosen on calibration, rising in cost, claimed on test. A point's ``key`` is its trial."""
        return self.results.points

    def plan(self, point: MergedPoint[int]) -> Plan:
        """Return the plan of a point."""
        return self.results.plans[point.key]

    def best_under(
        self,
        budget: float | None = None,
        *,
        max_gflops: float | None = None,
        max_ms: float | None = None,
        max_p95_ms: float | None = None,
    ) -> MergedPoint[int]:
        """Return the most accurate point that, on calibration, keeps all budgets; none takes the study's own.

        Args:
            budget: Mean cost per video, in the study's measure.
            max_gflops: Mean GFLOPs. Of a study in milliseconds its plans are costed anew.
            max_ms: Mean milliseconds, by a table of this machine (``dynsearch cost --measure ms``); those of a study
                in milliseconds are by the tables in its folder.
            max_p95_ms: 95% of videos are within so many milliseconds.

        Raises:
            InputError: There is no table of times for a plan, or budgets don't go together.
            InfeasibleBudgetError: Every point costs more.
        """
        study, _, limit = self._under(budget, gflops=max_gflops, ms=max_ms, p95_ms=max_p95_ms)
        return study.results.best_under(limit)

    def _under(
        self, budget: float | None, **spelled: float | None
    ) -> tuple[Study, StudyRecipe | None, float]:
        """Return the study as budgets cost it, by what recipe if not by its own, and the budget of its frontier."""
        measure = self.recipe.measure.name if budget is not None else None
        recipe, limit = under(self.recipe, spelled, measure=measure, any_budget=budget)
        if recipe is None:
            return self, None, self.recipe.budget if limit is None else limit
        results = read_results(open_record(self.folder), self.folder, solver=self.recipe.solver, under=recipe)
        return replace(self, results=results), recipe, math.inf if limit is None else limit

    def export(
        self,
        path: str | os.PathLike[str],
        budget: float | None = None,
        *,
        max_gflops: float | None = None,
        max_ms: float | None = None,
        max_p95_ms: float | None = None,
        all_budgets: Literal["shared", "all"] | None = None,
        force: bool = False,
    ) -> Bundle:
        """Write the best point under a budget as a bundle, as ``dynsearch export`` does.

        Args:
            path: Folder of the bundle.
            budget: Mean cost per video, on calibration; where no budget is given, the study's own is taken.
            max_gflops: As :meth:`best_under` takes it.
            max_ms: Likewise; the bundle's costs are in milliseconds then.
            max_p95_ms: Likewise.
            all_budgets: Write all points too, for :meth:`LoadedNetwork.at`: those of plans that share the one-shot
                network's weights, or of all plans.
            force: Write over what is not an untouched exported bundle too.

        Raises:
            StudyError: No plan shares weights.
            InfeasibleBudgetError: Every point costs more.
            BundleError: ``path`` is a file, or holds what would be lost and ``force`` is not given.
        """
        study, recipe, limit = self._under(budget, gflops=max_gflops, ms=max_ms, p95_ms=max_p95_ms)
        results = study.results.of_shared() if all_budgets == "shared" else study.results
        point = results.best_under(limit)
        own = point.calibration.cost if math.isinf(limit) else limit
        how: dict[str, Any] = {"budget": own, "under": recipe, "all_budgets": bool(all_budgets)}
        return export_point(self.folder, results, point, Path(path), force=force, **how)

    def to_pandas(self) -> pandas.DataFrame:
        """Return the frontier as a table with the columns of ``frontier.csv``."""
        import pandas

        return pandas.DataFrame(self.results.rows())

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the frontier on test, with the budget and full inference; None makes a new figure."""
        return draw_on(axes, self.name, self.recipe, self.results)

    def __repr__(self) -> str:
        point = self.points[-1].test
        return (
            f"Study({self.name}: {self.results.kinds}, {len(self.points)} points, up to "
            f"{100 * point.top1:.1f}% top-1 at {point.measure.text(point.cost)} on test)"
        )

    def _repr_html_(self) -> str:
        from dynsearch.display.notebook import page

        shown = {id(point) for point in spread(self.points, _ROWS_SHOWN)}
        rows = [i for i, point in enumerate(self.points) if id(point) in shown]
        cost = f"test_{self.recipe.measure.name}"
        columns = [cost, "test_top1", "test_top1_low", "test_top1_high", "trial", "exits", "frame_order"]
        return page(repr(self), table=self.to_pandas().iloc[rows][columns])


def run_study(
    dataset: str | DatasetInfo | None = None,
    max_gflops: float | None = None,
    *,
    max_ms: float | None = None,
    max_p95_ms: float | None = None,
    recipe: str | os.PathLike[str] | None = None,
    name: str | None = None,
    root: str | os.PathLike[str] = "studies",
    run: RunSettings | None = None,
    progress: bool | Callable[[StudyEvent], None] = True,
    settings: Mapping[str, object] | None = None,
    data_root: str | os.PathLike[str] | None = None,
    plugins: Sequence[str] = (),
) -> Study:
    """Run a study, as ``dynsearch study`` does; go on with one that was interrupted.

    Trials run in processes of their own, which import the calling script first: a script makes the call under
    ``if __name__ == "__main__":``. A notebook need not.

    Args:
        dataset: Name of a data set, or what :func:`dynsearch.add_dataset` returned; None takes the recipe's.
        max_gflops: Budget: mean GFLOPs (10^9 multiply-accumulates) per video; where none is given, the recipe's.
        max_ms: Budget: mean milliseconds per video, measured on a device; ``settings`` may say on which (``ms.device``,
            ``ms.batch``, ``ms.runtime``). Of both budgets both are kept.
        max_p95_ms: Beside it: 95% of videos are within so many milliseconds.
        recipe: A shipped recipe's name, or a YAML file; None takes the recipe of the data set.
        name: Of the study; None takes the recipe's. Under the same name a study goes on.
        root: Folder that holds the studies.
        run: How it is carried out: engine, trials at once, reader and so on. What it leaves out is the recipe's.
        progress: Whether to show what happens, or a function that is told every step.
        settings: Fields of the recipe to change, for instance ``{"num_trials": 5, "training.epochs": 3}``.
        data_root: The data set's own folder; None takes its place below the data home.
        plugins: Modules, or their files, that register what the recipe names.

    Raises:
        InputError: Something that was given can't be used.
        StudyError: The study began with other settings.
        StudyFailedError: Every trial failed.
        InfeasibleBudgetError: No plan has an exit within the budget.
    """
    _refuse_unguarded_script()
    import_plugins(plugins)
    if isinstance(dataset, DatasetInfo):
        dataset = dataset.name
    source = str(dataset) if recipe is None else os.fspath(recipe)
    if dataset is None and recipe is None:
        raise InputError("a study needs a data set, or a recipe", hint="Give dataset='motions', for instance")
    texts = [f"{field}={json.dumps(value, default=str)}" for field, value in (settings or {}).items()]
    overrides: dict[str, object] = {
        "dataset": dataset,
        "max_gflops": max_gflops,
        "max_ms": max_ms,
        "max_p95_ms": max_p95_ms,
        "plugins": imported() or None,
    }
    if run is not None:
        overrides |= run.model_dump(exclude_unset=True)
    what, how = load_recipe(source, settings=texts, overrides=overrides)
    folder = StudyFolder.named(name or recipe_name(source), Path(root))
    place = None if data_root is None else Path(data_root)
    times = {"max_ms": max_ms, "max_p95_ms": max_p95_ms}
    more = "".join(f", {key}={value!r}" for key, value in times.items() if value is not None)
    call = f"dynsearch.run_study({dataset!r}, {max_gflops!r}{more}, recipe={recipe!r}, name={name!r})"
    return run_recipe(what, how, folder, progress=progress, data_root=place, command=call)


def run_recipe(
    recipe: StudyRecipe,
    run: RunSettings,
    folder: StudyFolder,
    *,
    progress: bool | Callable[[StudyEvent], None] = True,
    verbose: bool = False,
    data_root: Path | None = None,
    command: str,
    anew: bool = False,
) -> Study:
    """Run a study from what was read of its recipe, and write its frontier and report.

    Args:
        recipe: What decides the result.
        run: How it is carried out.
        folder: Where the study lies.
        progress: Whether to show what happens, or a function that is told every step.
        verbose: Show every epoch too.
        data_root: The data set's own folder.
        command: What the report says that ran the study.
        anew: Whether what the study has is removed first.
    """
    if run.engine == "local":
        warm_up()
    quiet = progress is False
    source = open_clips(recipe, data_root, run=run, write=print if progress is True else None)
    hours = Hours(folder)
    told: dict[str, Any] = {"loggers": open_loggers(run.loggers, folder.name, recipe), "hours": hours}
    shown: AbstractContextManager[StudyProgress]
    if callable(progress):
        shown = nullcontext(CallbackProgress(progress, epochs=recipe.plan_epochs, **told))
    else:
        shown = study_progress(quiet=quiet, verbose=verbose, num_epochs=recipe.plan_epochs, **told)
    with shown as observer, closing(hours):
        if not (quiet or folder.is_trained):
            observer.noted(_price_line(recipe, run, source))
        origin = Origin.of(source.dataset, command)
        results = carry_out(
            recipe,
            folder,
            source,
            observer,
            observer.epoch,
            origin,
            run=run,
            data=source.facts(),
            anew=anew,
        )
    make_report(folder, folder.path / "report.html", source.dataset.splits["test"], results)
    show_frontier(open_record(folder), folder, results)
    return Study(folder, folder.recipe(), results)


def _price_line(recipe: StudyRecipe, run: RunSettings, source: DatasetClips) -> str:
    try:
        return price_of(recipe, run, source).line
    except (DynsearchError, RuntimeError, OSError) as error:  # What ends a study ends it when it is its turn.
        return f"Price: not known ({' '.join(str(error).split())[:120]})"


def _refuse_unguarded_script() -> None:
    """Refuse a script that would run its study again in every worker process that imports it.

    Raises:
        InputError: The main module is a file that never asks for its ``__name__``.
    """
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    inside_worker = getattr(multiprocessing.current_process(), "_inheriting", False)
    if file is None or not Path(file).is_file():
        return
    if inside_worker or "__name__" not in Path(file).read_text(encoding="utf-8", errors="replace"):
        raise InputError(
            "the study's worker processes import the script, and would run it again",
            where=Path(file).name,
            hint='Put the call of run_study under `if __name__ == "__main__":`',
        )
