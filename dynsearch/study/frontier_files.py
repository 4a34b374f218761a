"""The frontier of a study as files: ``frontier.csv``, ``frontier.png``, and the same of each network family."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna

from dynsearch.display.figures import own_axes
from dynsearch.display.frontier_plot import plot_families, plot_frontier
from dynsearch.display.tables import write_csv
from dynsearch.plan.grid_plot import plot_grid
from dynsearch.study.folder import StudyFolder
from dynsearch.study.gathering import Gathering
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.results import StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class LiveFrontier:
    """A running study's frontier, to which the trials that finish are added."""

    def __init__(self, study: optuna.Study, folder: StudyFolder, recipe: StudyRecipe) -> None:
        self._folder, self._recipe = folder, recipe
        self._study = study
        self._gathering = Gathering(study, folder, recipe.solver)

    def write(self) -> StudyResults:
        """Write the frontier's files, and return what was gathered so far."""
        self._gathering.update()
        results = StudyResults.of(self._gathering)
        write_frontier(self._folder, self._recipe, results)
        return results

    def end(self) -> StudyResults:
        """Write the ended study's files, and return its results, the same in whatever order its trials ended.

        Raises:
            StudyError: No trial has finished.
        """
        self._gathering.update()
        if not self._gathering.in_order:
            self._gathering = Gathering(self._study, self._folder, self._recipe.solver)
        return self.write()


def write_frontier(folder: StudyFolder, recipe: StudyRecipe, results: StudyResults) -> None:
    """Write ``frontier.csv`` and ``frontier.png`` into the study's folder.

    With several network families also ``families.csv`` and ``families.png``, with a frontier of each alone. Their names
    say so where results are not by the study's own costs.
    """
    kind = recipe.kind_of_results
    write_csv(list(map(_written, results.rows_under(recipe.budget))), folder.path / f"frontier{kind}.csv")
    draw_frontier(folder.path / f"frontier{kind}.png", folder.name, recipe, results)
    parts = {name: part.rows() for name, part in results.families.items()}
    if len(parts) > 1:
        write_csv(
            [_written(row) for part in parts.values() for row in part], folder.path / f"families{kind}.csv"
        )
        title = f"study {folder.name} on {recipe.dataset}, by family"
        plot_families(
            parts,
            folder.path / f"families{kind}.png",
            title=title,
            budget=recipe.budget,
            unit=results.measure,
        )


def _written(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in row.items()}


def draw_frontier(where: Path | Axes, name: str, recipe: StudyRecipe, results: StudyResults) -> None:
    """Draw the study's frontier, its budget, the point chosen under it and full inference to a file or on axes."""
    saving, rows = results.saving, results.rows_under(recipe.budget)
    plot_frontier(
        rows,
        where,
        title=f"study {name} on {recipe.dataset}: {results.kinds}",
        budget=recipe.budget,
        unit=results.measure,
        full=(saving.full_cost, saving.full_top1),
        chosen=next((row for row in rows if row["chosen"]), None),
    )


def draw_on(axes: Axes | None, name: str, recipe: StudyRecipe, results: StudyResults) -> Axes:
    """Draw the same on ``axes``, or on those of a new figure, and return them."""
    axes = own_axes(5.6, 3.9) if axes is None else axes
    draw_frontier(axes, name, recipe, results)
    return axes


def draw_grid(path: Path, name: str, results: StudyResults, budget: float) -> None:
    """Draw the plan of the best point under ``budget`` on its grid, with the test videos leaving at each exit.

    Raises:
        InfeasibleBudgetError: Every point costs more.
    """
    point = results.best_under(budget)
    plan = results.plans[point.key]
    title = f"study {name}, trial {point.key}: test videos leaving"
    plot_grid(plan, path, title=title, exit_share=point.test.exit_share)
