"""Reads every video of a data set and reports what is wrong with it, before a study meets it."""

import dataclasses
import functools
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import closing

from dynsearch.data.catalogue import read_annotations, split_up
from dynsearch.data.check_journal import CheckJournal, Finding
from dynsearch.data.check_problems import (
    Located,
    Problem,
    content_keys,
    duplicates,
    few_of_a_class,
    in_two_splits,
    shared,
)
from dynsearch.data.home import dataset_root
from dynsearch.data.reader import get_reader
from dynsearch.data.record_frames import num_record_frames, read_record
from dynsearch.data.records import VideoRecord, groups_of, without_group
from dynsearch.data.sampling import segment_centres
from dynsearch.data.splits import groups_note, overlaps_note
from dynsearch.data.watched_workers import Lost, Progress, map_watched
from dynsearch.display.tables import write_csv
from dynsearch.errors import DataError, InputError, VideoError

_FRAMES_READ = 8


OWN_CSV = ",".join(field.name for field in dataclasses.fields(Problem))
"""The first line of a table of problems."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CheckReport:
    """What a check found.

    Attributes:
        num_videos: Annotated videos in each split, before calibration is carved out.
        num_classes: K.
        groups: The groups of the videos, sorted; empty where there are none.
        without_group: Ids of the videos in no group, where others are in one.
        problems: What is wrong, in the order of the annotation files.
        notes: What was decided when they were read (which list is which, what was left out), and what a study may
            suffer from though nothing is wrong.
        num_resumed: Videos that an earlier check had read already and that have not changed since.
    """

    num_videos: dict[str, int]
    num_classes: int
    groups: list[str]
    without_group: list[str]
    problems: list[Problem]
    notes: tuple[str, ...] = ()
    num_resumed: int = 0

    def counts(self) -> dict[str, int]:
        """Return the number of problems of each kind that was found."""
        return dict(Counter(problem.kind for problem in self.problems))

    def write_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the problems, one row each; DynsearchError where the file can't be written."""
        write_csv([dataclasses.asdict(problem) for problem in self.problems], path, OWN_CSV.split(","))


def check_dataset(
    name: str,
    root: str | os.PathLike[str] | None = None,
    *,
    min_frames: int = 1,
    reader: str = "auto",
    num_workers: int | None = None,
    seconds_per_video: float = 300.0,
    fresh: bool = False,
    calibration_fraction: float | None = None,
    seed: int = 0,
    split_files: bool = False,
    allow_outside: bool = False,
    progress: Progress | None = None,
) -> CheckReport:
    """Read every annotated video of a data set.

    Each is decoded strictly, and 8 evenly spaced frames are taken, as a network would see them. A decoder
    that ends its process or hangs is named as that video's problem. What has been read is written down at
    once, so an interrupted check goes on, and a later one reads changed files only; ``fresh`` reads all.
    Fraction, seed and ``split_files`` are those of the study whose splits are looked at; see :func:`open_dataset`.

    Videos with fewer than ``min_frames`` are too short, one that takes longer than ``seconds_per_video`` is unreadable.
    ``num_workers`` None means one per core, 0 this process. ``progress`` is told after every video.

    Raises:
        InputError: The name or the reader is unknown, or ``min_frames`` below 1.
        DataError: The annotation files are missing or can't be used.
        DynsearchError: The journal of the check can't be written.
    """
    get_reader(reader)
    if min_frames < 1:
        raise InputError(f"min_frames must be at least 1, got {min_frames}")
    annotations = read_annotations(name, root, allow_missing=True, allow_outside=allow_outside)
    splits = annotations.splits()
    located = [(split, record) for split, records in splits.items() for record in records]
    everything = [record for _, record in located]
    folder = dataset_root(name, root)
    with closing(CheckJournal.of(name, folder, reader, fresh=fresh)) as journal:
        findings = {place: journal.known(record) for place, (_, record) in enumerate(located)}
        unread = [place for place, finding in findings.items() if finding is None]
        records = [located[place][1] for place in unread]
        for position, result in map_watched(
            functools.partial(_look_at, reader=reader),
            records,
            num_workers=num_workers,
            seconds=seconds_per_video,
            progress=progress,
        ):
            if isinstance(result, Lost):
                # Not written down: it may have been the machine's fault.
                findings[unread[position]] = Finding("unreadable", result.reason)
            else:
                findings[unread[position]] = result
                journal.add(records[position], result)
    found = [finding for finding in findings.values() if finding is not None]
    keys = content_keys(located)
    readable = [None if finding.kind else key for key, finding in zip(keys, found, strict=True)]
    notes, study = list(annotations.notes), {}
    gone = {
        record.video_id for (_, record), each in zip(located, found, strict=True) if each.kind == "missing"
    }
    there = annotations.changed(lambda records: [each for each in records if each.video_id not in gone])
    try:
        study = split_up(name, there, calibration_fraction, seed, split_files=split_files)
    except DataError as error:
        notes.append(f"No study can be made of them: {error}")
    few, rare = few_of_a_class(there, study)
    notes += [*groups_note(splits), *overlaps_note(located, keys), *rare]
    problems = [
        *_problems(located, found, min_frames),
        *duplicates(located, readable, study, annotations.class_names),
        *shared(splits),
        *in_two_splits(located, keys, split_files=split_files),
        *few,
    ]
    return CheckReport(
        num_videos={split: len(records) for split, records in splits.items() if records},
        num_classes=len(annotations.class_names),
        groups=groups_of(everything),
        without_group=without_group(everything),
        problems=problems,
        notes=tuple(notes),
        num_resumed=len(located) - len(unread),
    )


def _look_at(record: VideoRecord, *, reader: str) -> Finding:
    """Read one video, in a worker."""
    if not os.path.lexists(record.path):
        return Finding("missing", "there is no such file")
    try:
        count = num_record_frames(record, reader=reader)
        centres = sorted(set(segment_centres(count, _FRAMES_READ).tolist()))
        read_record(record, lambda count: centres, strict=True, reader=reader)
        return Finding("", "", count)
    except VideoError as error:
        return Finding("unreadable", error.problem)
    except OSError as error:
        return Finding("unreadable", f"can't be opened: {error.strerror}")


def _problems(located: Located, findings: Sequence[Finding], min_frames: int) -> list[Problem]:
    problems = []
    for (split, record), finding in zip(located, findings, strict=True):
        if finding.kind:
            problems.append(Problem.of(record, finding.kind, split, finding.detail))
        elif finding.num_frames < min_frames:
            detail = f"{finding.num_frames} frames, {min_frames} wanted"
            problems.append(Problem.of(record, "too short", split, detail))
    return problems
