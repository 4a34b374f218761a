"""What a data set is to the rest of dynsearch: named splits of labelled video files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

SPLIT_NAMES = ("train", "calibration", "test")


@dataclasses.dataclass(frozen=True, slots=True)
class VideoRecord:
    """One labelled video file.

    Attributes:
        video_id: The name the annotation files use.
        path: The video file.
        label: Index into the data set's ``class_names``.
    """

    video_id: str
    path: Path
    label: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoDataset:
    """A data set in three disjoint splits.

    Attributes:
        name: Its name in the catalogue.
        root: The folder it was read from.
        class_names: K names, in label order.
        splits: ``train``, ``calibration`` (thresholds and temperatures only) and ``test``.
    """

    name: str
    root: Path
    class_names: tuple[str, ...]
    splits: dict[str, list[VideoRecord]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Annotations:
    """What a layout's annotation files say, before the calibration split is carved out.

    Attributes:
        class_names: K names, in label order.
        train: The labelled training videos.
        test: The labelled videos that results are claimed on.
    """

    class_names: tuple[str, ...]
    train: list[VideoRecord]
    test: list[VideoRecord]
