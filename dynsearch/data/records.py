"""What a data set is to the rest of dynsearch: named splits of labelled video files."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

SPLIT_NAMES = ("train", "calibration", "test")


@dataclasses.dataclass(frozen=True, slots=True)
class VideoRecord:
    """One labelled video file.

    Attributes:
        video_id: The name the annotation files use.
        path: The video file, or the folder of its frames.
        label: Index into the data set's ``class_names``; the first of ``labels`` where there are several.
        group: What it shares with other videos (person, source film); a group is never split. None where
            the data set has no groups.
        seconds: (start, end) of the labelled part; None means the whole file.
        labels: All its classes, rising, in a data set whose videos may have several; empty in others.
    """

    video_id: str
    path: Path
    label: int
    group: str | None = None
    seconds: tuple[float, float] | None = None
    labels: tuple[int, ...] = ()

    @classmethod
    def of_classes(cls, video_id: str, path: Path, labels: Iterable[int]) -> VideoRecord:
        """Return the record of a video with the classes ``labels``, of which there is at least one."""
        rising = tuple(sorted(set(labels)))
        return cls(video_id, path, rising[0], labels=rising)

    @property
    def key(self) -> str:
        """What tells it from other videos, wherever it is annotated: its file and its seconds."""
        return str(self.path) if self.seconds is None else f"{self.path} {self.seconds}"

    def state(self) -> tuple[int, int] | None:
        """Return the size and the time of change of its file, in nanoseconds; None where there is none."""
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        return status.st_size, status.st_mtime_ns

    @property
    def is_multi_label(self) -> bool:
        """Whether it comes from a data set whose videos may have several classes."""
        return bool(self.labels)


def groups_of(records: Iterable[VideoRecord]) -> list[str]:
    """Return the groups of the videos, sorted; empty where there are none."""
    return sorted({record.group for record in records if record.group is not None})


def without_group(records: Sequence[VideoRecord]) -> list[str]:
    """Return the ids of videos that have no group, sorted; empty where no video has one."""
    return sorted(record.video_id for record in records if record.group is None) if groups_of(records) else []


def without_group_text(video_ids: Sequence[str]) -> str:
    """Return what is said of videos without a group."""
    first = ", ".join(video_ids[:5])
    return f"{len(video_ids)} videos are in no group, first {first}; each counts as a group of its own"


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoDataset:
    """A data set in three disjoint splits.

    Attributes:
        name: Its name in the catalogue.
        root: The folder it was read from.
        class_names: K names, in label order.
        splits: ``train``, ``calibration`` (thresholds and temperatures only) and ``test``.
        missing: Ids of annotated videos that were left out because they have no file.
        notes: What was decided when its files were read, as a user is told.
    """

    name: str
    root: Path
    class_names: tuple[str, ...]
    splits: dict[str, list[VideoRecord]]
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def groups(self, split: str) -> list[str]:
        """Return the groups a split's videos belong to, sorted; empty where there are none."""
        return groups_of(self.splits[split])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Annotations:
    """What a layout's annotation files say, before the calibration split is carved out.

    Attributes:
        class_names: K names, in label order.
        train: The labelled training videos.
        test: The labelled videos that results are claimed on; empty where the layout leaves it to be carved
            out of ``train``.
        missing: Ids of annotated videos that were left out because they have no file.
        calibration: The labelled videos of a validation split beside a test split; empty leaves calibration to be
            carved out of ``train``.
        notes: What the layout decided, as a user is told: which list is which, and what was left out.
        own: Whether lists and folders are of the user's making, so that no link of a folder may leave the root either.
    """

    class_names: tuple[str, ...]
    train: list[VideoRecord]
    test: list[VideoRecord]
    missing: tuple[str, ...] = ()
    calibration: list[VideoRecord] = dataclasses.field(default_factory=list)
    notes: tuple[str, ...] = ()
    own: bool = False

    def splits(self) -> dict[str, list[VideoRecord]]:
        """Return the splits that the annotation files name, those that are empty too."""
        return {"train": self.train, "calibration": self.calibration, "test": self.test}

    def records(self) -> list[VideoRecord]:
        """Return the videos of all splits."""
        return [record for records in self.splits().values() for record in records]

    def noting(self, *notes: str) -> Annotations:
        """Return the same with further notes."""
        return dataclasses.replace(self, notes=(*self.notes, *notes))

    def changed(self, change: Callable[[list[VideoRecord]], list[VideoRecord]]) -> Annotations:
        """Return the same with ``change`` made to the videos of every split."""
        train, calibration, test = map(change, self.splits().values())
        return dataclasses.replace(self, train=train, calibration=calibration, test=test)
