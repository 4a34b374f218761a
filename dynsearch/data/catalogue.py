"""The data sets dynsearch knows by name, and opening one of them as disjoint splits."""

import dataclasses
import os

from dynsearch.data.dataset_info import DATASETS, DatasetInfo, FlipRule
from dynsearch.data.home import dataset_root
from dynsearch.data.layouts.outside import check_inside
from dynsearch.data.layouts.video_tree import without_missing
from dynsearch.data.records import Annotations, VideoDataset, VideoRecord
from dynsearch.data.splits import carve_calibration, check_disjoint
from dynsearch.errors import DataError, InputError

__all__ = ["DATASETS", "DatasetInfo", "get_info", "get_metrics", "open_dataset", "read_annotations"]

TEST_FRACTION = 0.2
"""Share of the videos that are the test split where a data set has none of its own."""


def get_info(name: str) -> DatasetInfo:
    """Return the catalogue's entry for a data set, or for a variant of it: ``NAME@VARIANT``.

    Raises:
        InputError: There is none of that name, or it has no such variant.
    """
    base, at, variant = name.partition("@")
    info = DATASETS[base]
    if not at:
        return info
    if info.variant is None:
        raise InputError(f"{base} has no variants, got {name!r}", hint=f"Call it {base}")
    return dataclasses.replace(info, name=name, read=info.variant(variant))


def get_metrics(name: str) -> tuple[str, ...]:
    """Return what a data set's results are measured by; top-1 and top-5 for one that is not in the catalogue."""
    base = name.partition("@")[0]
    return DATASETS[base].metrics if base in DATASETS else ("top1", "top5")


def flip_rule(name: str) -> FlipRule:
    """Return what mirroring does to a data set's classes; ``plain`` for one that is not in the catalogue."""
    base = name.partition("@")[0]
    return DATASETS[base].flip if base in DATASETS else "plain"


def check_root(name: str, root: str | os.PathLike[str] | None = None) -> None:
    """Refuse a data set that there is not, or whose folder is not there, before anything slow is imported.

    Raises:
        InputError: The name is unknown.
        DataError: There is no such folder, and dynsearch can't make it.
    """
    info, folder = get_info(name), dataset_root(name, root)
    if DATASETS.is_shipped(name.partition("@")[0]) and info.generate is None and not folder.is_dir():
        raise DataError(
            f"there is no such folder, with {info.layout}", where=str(folder), hint=info.how_to_get
        )


def read_annotations(
    name: str,
    root: str | os.PathLike[str] | None = None,
    *,
    allow_missing: bool = False,
    allow_outside: bool = False,
    everything: bool = False,
) -> Annotations:
    """Read a data set's annotation files as they are, making the data set first where dynsearch can.

    With ``allow_missing``, annotated videos without a file have the path it should have; with ``everything``, no video
    has to be one to train on; for ``name``, ``root`` and ``allow_outside`` see :func:`open_dataset`.

    Raises:
        InputError: The name is unknown.
        DataError: Files are missing or can't be used.
    """
    info, folder = get_info(name), dataset_root(name, root)
    if info.generate is not None:
        info.generate(folder)
    try:
        annotations = ((everything and info.everything) or info.read)(folder)
        if DATASETS.is_shipped(name.partition("@")[0]):  # Others say themselves where their videos are.
            annotations = check_inside(annotations, folder, allow_outside=allow_outside)
        if allow_missing:
            return annotations
        return without_missing(annotations, folder, may_vanish=info.may_vanish)
    except DataError as error:
        hint = error.hint or info.how_to_get
        raise DataError(error.problem, where=error.where or str(folder), hint=hint) from error


def open_dataset(
    name: str,
    root: str | os.PathLike[str] | None = None,
    *,
    calibration_fraction: float | None = None,
    seed: int = 0,
    split_files: bool = False,
    allow_outside: bool = False,
) -> VideoDataset:
    """Open a data set as disjoint splits ``train``, ``calibration`` and ``test``.

    Calibration is carved out of the training videos, unless the data set has a validation split beside its test
    split; test is the official labelled split that results are claimed on. Where a data set has no test split,
    one is carved too, always the same whatever the seed.

    Args:
        name: A key of ``DATASETS``, or ``NAME@VARIANT``.
        root: The data set's own folder; None means ``$DYNSEARCH_HOME/data/<name>``.
        calibration_fraction: Share of each class's training videos; None means the data set's default.
        seed: Draws which videos calibrate.
        split_files: Let parts of one file that share no time be in several splits.
        allow_outside: Take videos that lie outside the root, by a link or a path in a list.

    Raises:
        InputError: The name is unknown or the fraction out of range.
        DataError: Files are missing or can't be used, or a video is annotated more than once or in two splits.
    """
    annotations = read_annotations(name, root, allow_outside=allow_outside)
    folder = dataset_root(name, root)
    said = check_disjoint(annotations.splits(), where=str(folder), split_files=split_files)
    notes = [*annotations.notes, *said]
    if annotations.calibration and calibration_fraction is not None:
        notes.append(
            f"calibration_fraction {calibration_fraction:g} is not used: the data set has videos to calibrate on"
        )
    try:
        splits = split_up(name, annotations, calibration_fraction, seed, split_files=split_files)
    except DataError as error:
        raise DataError(error.problem, where=str(folder), hint=error.hint) from error
    return VideoDataset(
        name=name,
        root=folder,
        class_names=annotations.class_names,
        splits=splits,
        missing=annotations.missing,
        notes=tuple(notes),
    )


def open_everything(
    name: str, root: str | os.PathLike[str] | None = None, *, allow_outside: bool = False
) -> VideoDataset:
    """Open all videos of a data set, in whatever splits, as the split ``all``; else as :func:`open_dataset`."""
    base = name.partition("@")[0]
    found = read_annotations(base, root, allow_outside=allow_outside, everything=True)
    records = list({record.video_id: record for record in found.records()}.values())
    return VideoDataset(
        name=base,
        root=dataset_root(base, root),
        class_names=found.class_names,
        splits={"all": records},
        missing=found.missing,
        notes=found.notes,
    )


def split_up(
    name: str, annotations: Annotations, fraction: float | None, seed: int, *, split_files: bool = False
) -> dict[str, list[VideoRecord]]:
    """Return the three splits that a study makes of the annotations of ``name``, as :func:`open_dataset` says."""
    train, test = annotations.train, list(annotations.test)
    if not test:
        train, test = carve_calibration(train, TEST_FRACTION, 0, purpose="test", split_files=split_files)
    calibration = list(annotations.calibration)
    if not calibration:
        fraction = get_info(name).calibration_fraction if fraction is None else fraction
        train, calibration = carve_calibration(train, fraction, seed, split_files=split_files)
    return {"train": list(train), "calibration": calibration, "test": test}
