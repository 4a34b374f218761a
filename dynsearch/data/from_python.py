"""A data set from a list of videos in Python."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dynsearch.data.dataset_info import DATASETS, DatasetInfo
from dynsearch.data.records import Annotations, VideoRecord
from dynsearch.errors import DataError, InputError, shown

_SPLITS = (None, "train", "test")


class Video(NamedTuple):
    """One labelled video.

    Attributes:
        path: The video file, or the folder of its frames.
        label: Name of its class, or those of its classes, where videos may have several.
        split: ``train`` or ``test``; None is ``train``. Without any test video, some of each class are set aside.
        group: What it shares with other videos (person, source film); calibration takes whole groups.
    """

    path: str | os.PathLike[str]
    label: str | Sequence[str]
    split: str | None = None
    group: str | None = None


VideoLike = (
    Video
    | tuple[str | os.PathLike[str], str | Sequence[str]]
    | tuple[str | os.PathLike[str], str | Sequence[str], str | None]
    | tuple[str | os.PathLike[str], str | Sequence[str], str | None, str | None]
)
"""A :class:`Video`, or its first two, three or four fields."""


@dataclass(frozen=True)
class _Listed:
    annotations: Annotations

    def __call__(self, root: Path) -> Annotations:
        return self.annotations


def add_dataset(name: str, videos: Iterable[VideoLike], *, calibration_fraction: float = 0.2) -> DatasetInfo:
    """Make a list of labelled videos known as the data set ``name``, in this process.

    Args:
        name: How recipes and commands call it.
        videos: The videos: ``(path, label)``, ``(path, label, split)`` or ``(path, label, split, group)``.
        calibration_fraction: Share of the training videos that thresholds are chosen on.

    Returns:
        What :func:`dynsearch.run_study` and :func:`dynsearch.evaluate` take as ``dataset``.

    Raises:
        InputError: Another data set has the name, or a video is described wrongly.
        DataError: There are fewer than two classes.
    """
    listed = [_checked(video) for video in videos]
    several = any(not isinstance(video.label, str) for video in listed)
    names_of = [(video.label,) if isinstance(video.label, str) else tuple(video.label) for video in listed]
    class_names = tuple(sorted({label for names in names_of for label in names}))
    if len(class_names) < 2:
        raise DataError(f"has {len(class_names)} classes, at least 2 are needed", where=name)
    number = {label: i for i, label in enumerate(class_names)}
    parts: dict[str, list[VideoRecord]] = {"train": [], "test": []}
    for video, names in zip(listed, names_of, strict=True):
        labels = tuple(sorted(number[label] for label in names))
        record = VideoRecord(
            video_id=os.fspath(video.path),
            path=Path(video.path).expanduser().absolute(),
            label=labels[0],
            group=_group_name(video.group),
            labels=labels if several else (),
        )
        parts[video.split or "train"].append(record)
    info = DatasetInfo(
        name=name,
        title=name,
        num_classes=len(class_names),
        layout="listed in Python",
        licence_page="",
        how_to_get="Check the paths given to add_dataset",
        calibration_fraction=calibration_fraction,
        read=_Listed(Annotations(class_names=class_names, train=parts["train"], test=parts["test"])),
        splits="as listed; without test videos, some of each class are set aside",
        metrics=("map", "top1") if several else ("top1", "top5"),
    )
    if name in DATASETS and DATASETS[name] == info:
        return DATASETS[name]
    return DATASETS.register(name, info)


def _group_name(group: object) -> str | None:
    """Return a group as text; blank ones and those of empty cells of a table are none."""
    return None if group is None or group != group else str(group).strip() or None


def _checked(video: VideoLike) -> Video:
    """Return the video; InputError where it is described wrongly, for its label is a text, or texts."""
    try:
        found = Video(*video)
        path = os.fspath(found.path)
        texts = [found.label] if isinstance(found.label, str) else list(found.label)
    except TypeError as error:
        raise InputError(
            f"a video is (path, label), (path, label, split) or (path, label, split, group), got {shown(video)}"
        ) from error
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise InputError(f"must be a text, or texts, got {shown(found.label)}", where=f"label of {path}")
    if found.split not in _SPLITS:
        raise InputError(
            f"must be train or test, got {shown(found.split)}",
            where=f"split of {path}",
            hint="Calibration is set aside from train",
        )
    return found
