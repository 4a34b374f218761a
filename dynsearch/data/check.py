"""Reads every video of a data set and reports what is wrong with it, before a study meets it."""

from __future__ import annotations

import csv
import dataclasses
import functools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from dynsearch.data.catalogue import read_annotations
from dynsearch.data.reader import get_reader, num_frames, read_frames
from dynsearch.data.records import VideoRecord
from dynsearch.data.sampling import segment_centres
from dynsearch.data.splits import shared_ids
from dynsearch.data.workers import Progress, map_in_workers
from dynsearch.errors import InputError, VideoError
from dynsearch.files import written_whole

Kind = Literal["missing", "unreadable", "too short", "shared"]

_FRAMES_READ = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong with one video.

    Attributes:
        kind: ``missing`` (no file), ``unreadable``, ``too short`` (fewer frames than asked for) or
            ``shared`` (annotated more than once).
        split: The annotation file's split; for ``shared`` all of them, joined by +.
        video_id: The video.
        path: Its file.
        detail: The reason.
    """

    kind: Kind
    split: str
    video_id: str
    path: str
    detail: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class CheckReport:
    """What a check found.

    Attributes:
        num_videos: Annotated videos in each split, before calibration is carved out.
        problems: What is wrong, in the order of the annotation files.
    """

    num_videos: dict[str, int]
    problems: list[Problem]

    def counts(self) -> dict[str, int]:
        """Return the number of problems of each kind that was found."""
        kinds = [problem.kind for problem in self.problems]
        return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}

    def write_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the problems, one row each.

        Raises:
            DynsearchError: The file can't be written.
        """
        columns = [field.name for field in dataclasses.fields(Problem)]
        with written_whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(dataclasses.asdict(problem) for problem in self.problems)


def check_dataset(
    name: str,
    root: str | os.PathLike[str] | None = None,
    *,
    min_frames: int = 1,
    reader: str = "auto",
    num_workers: int | None = None,
    progress: Progress | None = None,
) -> CheckReport:
    """Read every annotated video of a data set.

    From each, 8 evenly spaced frames are decoded, as a network would see them; damaged frames count as
    unreadable.

    Args:
        name: A data set of the catalogue.
        root: Its folder; None means the default.
        min_frames: Videos with fewer frames are too short.
        reader: The video reader's name.
        num_workers: Worker processes; None means one per core.
        progress: Told after every video.

    Raises:
        InputError: The name or the reader is unknown, or ``min_frames`` below 1.
        DataError: The annotation files are missing or can't be used.
    """
    get_reader(reader)
    if min_frames < 1:
        raise InputError(f"min_frames must be at least 1, got {min_frames}")
    annotations = read_annotations(name, root, allow_missing=True)
    splits = {"train": annotations.train, "test": annotations.test}
    located = [(split, record) for split, records in splits.items() for record in records]
    check = functools.partial(_check_video, min_frames=min_frames, reader=reader)
    found = map_in_workers(
        check, [record.path for _, record in located], num_workers=num_workers, progress=progress
    )
    problems = [
        Problem(kind=kind, split=split, video_id=record.video_id, path=str(record.path), detail=detail)
        for (split, record), (kind, detail) in _only_problems(located, found)
    ]
    return CheckReport(
        num_videos={split: len(records) for split, records in splits.items()},
        problems=problems + _shared(splits),
    )


def _only_problems(
    located: Sequence[tuple[str, VideoRecord]], found: Iterable[tuple[Kind, str] | None]
) -> Iterable[tuple[tuple[str, VideoRecord], tuple[Kind, str]]]:
    return ((place, problem) for place, problem in zip(located, found, strict=True) if problem is not None)


def _check_video(path: Path, *, min_frames: int, reader: str) -> tuple[Kind, str] | None:
    """Return what is wrong with one file, or None."""
    if not os.path.lexists(path):
        return "missing", "there is no such file"
    try:
        count = num_frames(path, reader=reader)
        if count < min_frames:
            return "too short", f"{count} frames, {min_frames} wanted"
        read_frames(path, sorted(set(segment_centres(count, _FRAMES_READ).tolist())), reader=reader)
    except VideoError as error:
        return "unreadable", error.problem
    return None


def _shared(splits: dict[str, list[VideoRecord]]) -> list[Problem]:
    """Return a problem for every video id that is annotated more than once."""
    repeated = shared_ids(splits)
    paths = {record.video_id: record.path for records in splits.values() for record in records}
    return [
        Problem(
            kind="shared",
            split="+".join(dict.fromkeys(names)),
            video_id=video_id,
            path=str(paths[video_id]),
            detail=f"annotated {len(names)} times, in {' and '.join(names)}",
        )
        for video_id, names in repeated.items()
    ]
