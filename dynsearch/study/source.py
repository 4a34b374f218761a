"""The clips that a recipe asks for."""

from collections.abc import Callable, Iterator
from pathlib import Path

from dynsearch.data.catalogue import open_dataset
from dynsearch.data.records import VideoDataset, without_group, without_group_text
from dynsearch.study.own_recipe import few_videos
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
    """Open the recipe's data set, or ``dataset`` instead, split and cached as the recipe says.

    The embedded one is generated on first use. ``write`` is told what is opened.

    Raises:
        DataError: Its files are missing or can't be used.
    """
    write, name = write or (lambda line: None), dataset or recipe.dataset
    write(f"Opening {name} ...")
    opened = open_dataset(name, data_root, **recipe.splitting, allow_outside=run.allow_outside)
    for line in _said_of(opened, folds=recipe.calibration == "folds"):
        write(line)
    return DatasetClips(opened, recipe.frame_cache, write, run.reader, run.num_workers, run.max_cache_gb)


def _said_of(dataset: VideoDataset, *, folds: bool) -> Iterator[str]:
    sizes = ", ".join(f"{len(records)} {split}" for split, records in dataset.splits.items())
    yield f"{dataset.name}: {len(dataset.class_names)} classes, {sizes} videos in {dataset.root}"
    for split in ("calibration", "test"):
        if groups := dataset.groups(split):
            shown = ", ".join(groups[:20]) + (", ..." if len(groups) > 20 else "")
            yield f"{len(groups)} group{'s' if len(groups) > 1 else ''} for {split}: {shown}"
    if alone := without_group([record for records in dataset.splits.values() for record in records]):
        yield without_group_text(alone)
    yield from dataset.notes
    yield from few_videos(dataset.splits, folds=folds)
    if dataset.missing:
        yield (
            f"{len(dataset.missing)} annotated videos have no file and are left out, first "
            f"{', '.join(dataset.missing[:5])}; `dynsearch data check --csv FILE` lists all"
        )
