"""The videos that a trained network is measured on: of its own data set or of another one."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from dynsearch.data.catalogue import open_dataset, open_everything
from dynsearch.data.identity import DataIdentity, shown_again
from dynsearch.data.same_classes import with_classes_of
from dynsearch.errors import DataError, InputError
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.run_settings import RunSettings
from dynsearch.training.source import DatasetClips

Split = Literal["calibration", "test", "all"]


def open_videos(
    recipe: StudyRecipe,
    class_names: Sequence[str] | None,
    split: Split | None,
    *,
    dataset: str | None,
    data_root: Path | None,
    run: RunSettings,
    known: Mapping[str, set[str]],
    warn: Callable[[str], None],
) -> DatasetClips:
    """Open the clips of a split, with the class numbers of a network, and say what makes figures on them doubtful.

    Args:
        recipe: How the network was trained.
        class_names: The network's classes; None takes the data set's.
        split: ``all`` is every video there; None opens both held-out splits.
        dataset: Name of a data set; None takes the recipe's.
        data_root: The data set's own folder.
        run: How its videos are read.
        known: What tells the content of the videos apart that the network was trained and measured on, by split.
        warn: Told what is doubtful.

    Raises:
        DataError: Its files can't be used, or have none of the network's classes.
    """
    name = dataset or recipe.dataset
    if split == "all":
        found = open_everything(name, data_root, allow_outside=run.allow_outside)
    else:
        try:
            found = open_dataset(name, data_root, **recipe.splitting, allow_outside=run.allow_outside)
        except InputError as error:
            hint = f"{error.hint}. " if error.hint else ""
            hint += "`--split all` (split='all') measures on every video there"
            raise DataError(error.problem, where=error.where, hint=hint) from error
    total = sum(map(len, found.splits.values()))
    wanted = (split,) if split else ("calibration", "test")
    found = dataclasses.replace(found, splits={str(one): found.splits[one] for one in wanted})
    if class_names is not None:
        found = with_classes_of(found, class_names)
    for note in found.notes if dataset or split == "all" else ():
        warn(note)
    if dataset and "train" not in known:
        warn("which videos the network was trained on is not known")
    for one, now in DataIdentity.of(found).contents().items() if known or dataset else ():
        for doubt in _doubts(set(now), known, one, own=dataset is None):
            warn(doubt)
        if dataset and split == one != "all" and set(now) != known.get(one):
            warn(f"{len(now)} of the {total} videos there are its {one} split; --split all takes them all")
    return DatasetClips(
        found,
        recipe.frame_cache,
        reader=run.reader,
        num_workers=run.num_workers,
        max_cache_gb=run.max_cache_gb,
    )


def _doubts(now: set[str], known: Mapping[str, set[str]], split: str, *, own: bool) -> list[str]:
    """Return what makes figures on a split doubtful: videos that were trained on, or others than were measured on."""
    doubts, before = [], known.get(split, set())
    if seen := shown_again(now, known.get("train", set())):
        doubts.append(f"{seen} of these videos were trained on, so that the figures are too good")
    if own and split != "all" and known and now != before:
        changed = f"{len(before - now)} are gone, {len(now - before)} are new"
        doubts.append(f"these are not the {split} videos of when it was trained: {changed}")
    return doubts
