"""Running a study from its recipe to its frontier."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dynsearch import resources
from dynsearch.report.plots import plot_frontier
from dynsearch.report.tables import write_csv
from dynsearch.search.driver import Driver, Observer
from dynsearch.search.engines import Engine, Evaluator, Job, LocalEngine
from dynsearch.search.evaluator import TrainingEvaluator
from dynsearch.search.folder import StudyFolder
from dynsearch.search.recipe import StudyRecipe
from dynsearch.search.record import open_record
from dynsearch.search.results import StudyResults, read_results, saving_at_equal_accuracy
from dynsearch.space import SearchSpace
from dynsearch.training.loop import EpochReport
from dynsearch.training.run import ClipSource

ENGINES: dict[str, Callable[[Evaluator], Engine]] = {"local": LocalEngine}
"""Engines by name."""


def run_study(
    recipe: StudyRecipe,
    folder: StudyFolder,
    source: ClipSource,
    observer: Observer,
    on_epoch: Callable[[Job, EpochReport], None] | None = None,
) -> StudyResults:
    """Run a study, or go on with one that was interrupted, and write its frontier.

    Args:
        recipe: What to do.
        folder: Where the study lies.
        source: The data set's clips.
        observer: Told of every step.
        on_epoch: Called with the job after every epoch.

    Raises:
        StudyError: Another process runs the study, it began with other settings, or every trial failed.
        InfeasibleBudgetError: No plan of the space has an exit within the budget.
    """
    space = SearchSpace.load(resources.find("search_spaces", recipe.space))
    with folder.driven():
        folder.record(recipe, space)
        study = open_record(folder, create=True)
        evaluator = TrainingEvaluator(source, recipe.training, recipe.seed, on_epoch)
        driver = Driver(
            study=study,
            recipe=recipe,
            space=space,
            engine=ENGINES[recipe.engine](evaluator),
            folder=folder,
            num_classes=source.num_classes,
            observer=observer,
            after_trial=lambda: write_frontier(
                folder, recipe, read_results(study, folder, solver=recipe.solver)
            ),
        )
        driver.run()
        results = read_results(study, folder, solver=recipe.solver)
        write_frontier(folder, recipe, results)
    return results


def write_frontier(folder: StudyFolder, recipe: StudyRecipe, results: StudyResults) -> None:
    """Write ``frontier.csv`` and ``frontier.png`` into the study's folder."""
    write_csv(results.rows(), folder.path / "frontier.csv")
    draw_frontier(folder.path / "frontier.png", folder.name, recipe, results)


def draw_frontier(path: Path, name: str, recipe: StudyRecipe, results: StudyResults) -> None:
    """Draw the study's frontier, its budget and full inference to ``path``."""
    saving = saving_at_equal_accuracy(results)
    plot_frontier(
        results.rows(),
        path,
        title=f"{name}: {recipe.dataset}, {len(results.plans)} trained plans",
        max_gflops=recipe.max_gflops,
        full=(saving.full_gflops, saving.full_top1),
    )
