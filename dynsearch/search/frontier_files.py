"""The frontier of a study as files, ``frontier.csv`` and ``frontier.png``."""

from __future__ import annotations

from pathlib import Path

from dynsearch.report.plots import plot_frontier
from dynsearch.report.tables import write_csv
from dynsearch.search.folder import StudyFolder
from dynsearch.search.recipe import StudyRecipe
from dynsearch.search.results import StudyResults, saving_at_equal_accuracy


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
        title=f"study {name} on {recipe.dataset}: {len(results.plans)} trained plans",
        max_gflops=recipe.max_gflops,
        full=(saving.full_gflops, saving.full_top1),
    )
