"""The data sets dynsearch knows by name, and opening one of them as disjoint splits."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Protocol

from dynsearch.data.home import dataset_root
from dynsearch.data.motions.dataset import DEFAULT_SIZES, generate_motions
from dynsearch.data.records import Annotations, VideoDataset
from dynsearch.data.splits import carve_calibration, check_disjoint
from dynsearch.data.sthv2 import read_sthv2
from dynsearch.data.workers import Progress
from dynsearch.errors import InputError


class Layout(Protocol):
    """Reads the annotation files of one official layout."""

    def __call__(self, root: Path, *, how_to_get: str, allow_missing: bool = False) -> Annotations:
        """Return what the annotation files under ``root`` say."""
        ...


class Generator(Protocol):
    """Makes a data set at a folder unless it is complete there."""

    def __call__(
        self, root: Path, *, num_workers: int | None = None, progress: Progress | None = None
    ) -> None:
        """Make it, with ``num_workers`` processes, telling ``progress`` after every video."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """What is known about a data set before it is opened.

    Attributes:
        name: How commands and recipes call it.
        title: Its full name.
        num_classes: K.
        layout: In words, which files are expected under the data root.
        licence_page: Where its licence and download are.
        how_to_get: What to download and where to put it.
        num_videos: Official sizes: labelled training videos and test videos.
        calibration_fraction: Share of the training videos that calibration gets when nothing else is said.
        cache_frames: Frames of each video that its frame cache keeps when nothing else is said.
        cache_size: Side in pixels of the squares its frame cache keeps.
        read: Reads its annotation files.
        generate: Makes it where it is absent; None for data that has to be downloaded.
    """

    name: str
    title: str
    num_classes: int
    layout: str
    licence_page: str
    how_to_get: str
    num_videos: dict[str, int]
    calibration_fraction: float
    cache_frames: int
    cache_size: int
    read: Layout
    generate: Generator | None = None


_STHV2_LAYOUT = (
    "20bn-something-something-v2/ with one webm or mp4 file per video id; labels, train and validation JSON "
    "as labels/NAME.json, NAME.json or something-something-v2-NAME.json"
)

_STHV2_PAGE = "https://www.qualcomm.com/developer/software/something-something-v-2-dataset"

CATALOGUE: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        DatasetInfo(
            name="motions",
            title="motions, the embedded data set",
            num_classes=12,
            layout=_STHV2_LAYOUT,
            licence_page="made by dynsearch itself, Apache-2.0",
            how_to_get="Made on first use, or by `dynsearch data prepare --dataset motions`; for a folder of "
            "your own, name one that is new or empty",
            num_videos={"train": DEFAULT_SIZES.num_train, "test": DEFAULT_SIZES.num_validation},
            calibration_fraction=1 / 3,
            cache_frames=24,
            cache_size=DEFAULT_SIZES.side,
            read=read_sthv2,
            generate=generate_motions,
        ),
        DatasetInfo(
            name="sthv2",
            title="Something-Something v2",
            num_classes=174,
            layout=_STHV2_LAYOUT,
            licence_page=_STHV2_PAGE,
            how_to_get="Download the videos and the labels of Something-Something v2 from "
            f"{_STHV2_PAGE}, join and unpack them with `cat 20bn-something-something-v2-?? | tar zx`, "
            "and give the folder that holds 20bn-something-something-v2/ as --data-root",
            num_videos={"train": 168_913, "test": 24_777},
            calibration_fraction=0.1,
            cache_frames=32,
            cache_size=256,
            read=read_sthv2,
        ),
    )
}
"""Every data set by name. A new one is a new layout file and one entry here."""


def get_info(name: str) -> DatasetInfo:
    """Return the catalogue's entry for a data set.

    Raises:
        InputError: There is none of that name.
    """
    if name not in CATALOGUE:
        raise InputError(f"there is no data set {name!r}", hint=f"Data sets: {', '.join(sorted(CATALOGUE))}")
    return CATALOGUE[name]


def read_annotations(
    name: str, root: str | os.PathLike[str] | None = None, *, allow_missing: bool = False
) -> Annotations:
    """Read a data set's annotation files as they are, making the data set first where dynsearch can.

    Args:
        name: A key of ``CATALOGUE``.
        root: The data set's own folder; None means ``$DYNSEARCH_HOME/data/<name>``.
        allow_missing: Accept annotated videos without a file.

    Raises:
        InputError: The name is unknown.
        DataError: Files are missing or can't be used.
    """
    info, folder = get_info(name), dataset_root(name, root)
    if info.generate is not None:
        info.generate(folder)
    return info.read(folder, how_to_get=info.how_to_get, allow_missing=allow_missing)


def open_dataset(
    name: str,
    root: str | os.PathLike[str] | None = None,
    *,
    calibration_fraction: float | None = None,
    seed: int = 0,
) -> VideoDataset:
    """Open a data set as disjoint splits ``train``, ``calibration`` and ``test``.

    Calibration is carved out of the official training videos; test is the official labelled split that
    results are claimed on.

    Args:
        name: A key of ``CATALOGUE``.
        root: The data set's own folder; None means ``$DYNSEARCH_HOME/data/<name>``.
        calibration_fraction: Share of each class's training videos; None means the data set's default.
        seed: Draws which videos calibrate.

    Raises:
        InputError: The name is unknown or the fraction out of range.
        DataError: Files are missing or can't be used, or a video is annotated more than once.
    """
    annotations = read_annotations(name, root)
    folder = dataset_root(name, root)
    check_disjoint({"train": annotations.train, "test": annotations.test}, where=str(folder))
    fraction = get_info(name).calibration_fraction if calibration_fraction is None else calibration_fraction
    train, calibration = carve_calibration(annotations.train, fraction, seed)
    return VideoDataset(
        name=name,
        root=folder,
        class_names=annotations.class_names,
        splits={"train": train, "calibration": calibration, "test": list(annotations.test)},
    )
