"""Dynamic inference of a bundle over a split of a data set."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from dynsearch.data.catalogue import get_metrics
from dynsearch.data.dataset_info import DatasetInfo
from dynsearch.data.identity import DataIdentity
from dynsearch.errors import DataError
from dynsearch.export.bundle import Bundle
from dynsearch.export.evaluation import Evaluation
from dynsearch.export.evaluation import evaluate as measure
from dynsearch.export.loaded import LoadedNetwork
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.run_settings import RunSettings
from dynsearch.study.source import open_clips
from dynsearch.training.source import DatasetClips


def evaluate(
    bundle: LoadedNetwork | Bundle | str | os.PathLike[str],
    dataset: str | DatasetInfo | None = None,
    *,
    split: Literal["calibration", "test"] = "test",
    batch_size: int = 32,
    data_root: str | os.PathLike[str] | None = None,
    run: RunSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
    warn: Callable[[str], None] | None = None,
) -> Evaluation:
    """Run a bundle on a split, really stopping early, and again to the last exit.

    Args:
        bundle: What :func:`dynsearch.load` returned, a bundle, or its folder.
        dataset: Name of a data set, or what :func:`dynsearch.add_dataset` returned; None takes the bundle's.
        split: Which of its splits.
        batch_size: Videos that go through the network together.
        data_root: The data set's own folder; None takes its place below the data home.
        run: How videos are read: ``reader``, ``num_workers`` and ``allow_outside``.
        progress: Told after every batch how many videos are done, and of how many.
        warn: Told what makes the figures doubtful; None makes it a warning of Python's.

    Raises:
        BundleError: The folder is no bundle.
        DataError: The data set's files can't be used, or its classes are not the bundle's.
        VideoError: A video can't be read.
    """
    loaded = bundle if isinstance(bundle, LoadedNetwork) else LoadedNetwork(bundle)
    name = dataset.name if isinstance(dataset, DatasetInfo) else dataset
    recipe, root = loaded.bundle.recipe, None if data_root is None else Path(data_root)
    run = run or RunSettings()
    source = open_clips(recipe, root, dataset=name, run=run)
    if tuple(source.dataset.class_names) != loaded.bundle.class_names:
        raise DataError(
            f"its classes are not the bundle's: {_first_difference(source, loaded)}",
            where=str(source.dataset.root),
            hint="Evaluate on the data set the bundle was trained on",
        )
    for text in _doubts(source, loaded.bundle, name, root, split, run):
        warn(text) if warn else warnings.warn(text, stacklevel=2)
    config = recipe.training.model_copy(update={"batch_size": batch_size})
    loader = source.loader(split, loaded.bundle.plan, config, training=False, seed=recipe.seed)
    total = len(source.video_ids(split))
    tell = None if progress is None else lambda done: progress(done, total)
    return measure(loaded, loader, get_metrics(source.dataset.name), on_videos=tell)


def _doubts(
    source: DatasetClips, bundle: Bundle, name: str | None, root: Path | None, split: str, run: RunSettings
) -> list[str]:
    """Return what makes figures on a split doubtful: videos that were trained on, or others than were measured on."""
    known = bundle.contents()
    if known:
        own = dataclasses.replace(source.dataset, splits={split: source.dataset.splits[split]})
        now = set(DataIdentity.of(own).contents()[split])
        seen, before = len(now & known.get("train", set())), known.get(split, set())
    else:
        now = before = set()
        seen = _trained_on(source, bundle.recipe, root, split, run) if name is not None else 0
    doubts = [f"{seen} of these videos were trained on, so that the figures are too good"] if seen else []
    if name is None and now != before:
        changed = f"{len(before - now)} are gone, {len(now - before)} are new"
        doubts.append(f"these are not the {split} videos of when it was trained: {changed}")
    return doubts


def _trained_on(
    source: DatasetClips, recipe: StudyRecipe, data_root: Path | None, split: str, run: RunSettings
) -> int:
    """Return how many videos of ``split`` are among the bundle's training videos, if both are of one data set."""
    if source.dataset.name.partition("@")[0] != recipe.dataset.partition("@")[0]:
        return 0
    trained = {record.path for record in open_clips(recipe, data_root, run=run).dataset.splits["train"]}
    return sum(record.path in trained for record in source.dataset.splits[split])


def _first_difference(source: DatasetClips, loaded: LoadedNetwork) -> str:
    """Return the first class in which a data set and a bundle differ."""
    here, there = list(source.dataset.class_names), list(loaded.bundle.class_names)
    if len(here) != len(there):
        return f"{len(here)} here, {len(there)} there"
    index = next(i for i, (one, other) in enumerate(zip(here, there, strict=True)) if one != other)
    return f"class {index} is {here[index]!r} here, {there[index]!r} there"
