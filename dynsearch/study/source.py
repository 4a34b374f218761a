"""The clips that a recipe asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.run_settings import DEFAULT_RUN, RunSettings
from dynsearch.training.source import DatasetClips


def open_clips(
    recipe: StudyRecipe,
    data_root: Path | None = None,
    *,
    run: RunSettings = DEFAULT_RUN,
    dataset: str | None = None,
    write: Callable[[str], None] | None = None,
) -> DatasetClips:
    """Open the recipe's data set, split and cached as the recipe says.

    Args:
        recipe: What the study is.
        data_root: The folder that holds the data set; None takes its place below the data home.
        run: How its videos are read.
        dataset: A data set to open instead of the recipe's own.
        write: Told what is opened.

    Raises:
        DataError: Its files are missing or can't be used.
    """
    return DatasetClips.open(
        dataset or recipe.dataset,
        data_root,
        **recipe.splitting,
        frame_cache=recipe.frame_cache,
        reader=run.reader,
        num_workers=run.num_workers,
        max_cache_gb=run.max_cache_gb,
        allow_outside=run.allow_outside,
        write=write,
    )
