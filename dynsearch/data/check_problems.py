"""What can be wrong with the videos of a data set, and what their lists and their content say of it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from dynsearch.data.content import content_digests
from dynsearch.data.recordings import file_keys
from dynsearch.data.records import Annotations, VideoRecord
from dynsearch.data.splits import shared_files, shared_ids
from dynsearch.errors import named

Kind = Literal[
    "missing",
    "unreadable",
    "too short",
    "duplicate",
    "shared",
    "two splits",
    "same time",
    "few",
]

Located = Sequence[tuple[str, VideoRecord]]
"""Records, each with the split it is annotated in."""

Splits = Mapping[str, Sequence[VideoRecord]]


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that is wrong with one video, or with a class.

    Attributes:
        kind: ``missing`` (no file), ``unreadable``, ``too short`` (fewer frames than asked for),
            ``duplicate`` (the same content as another id), ``shared`` (annotated more than once), ``two splits`` (of
            one file), ``same time`` (of one file in two splits), or ``few`` (a class with one video, or none to
            train or test on).
        split: The annotation file's split; for ``shared``, ``two splits`` and ``same time`` all of them, joined by +.
        video_id: The video, or the class.
        path: Its file.
        detail: The reason.
        duplicate_of: The first video of the same content, with its split: ``train/123``.
    """

    kind: Kind
    split: str
    video_id: str
    path: str
    detail: str
    duplicate_of: str = ""

    @classmethod
    def of(cls, record: VideoRecord, kind: Kind, split: str, detail: str, duplicate_of: str = "") -> Problem:
        """Return a problem of a record."""
        return cls(kind, split, record.video_id, str(record.path), detail, duplicate_of)


def content_keys(located: Located) -> list[Hashable]:
    """Return what tells the content of each record's file from others.

    Files are read whole only where size and samples are equal.
    """
    files = file_keys(record for _, record in located)
    path_of = dict(zip(files, (record.path for _, record in located), strict=True))
    samples = dict(zip(path_of, content_digests(list(path_of.values())), strict=True))
    count = Counter(samples.values())
    keys: dict[Hashable, Hashable] = {}
    for file, path in path_of.items():
        try:
            keys[file] = _digest(path) if count[samples[file]] > 1 else file
        except OSError:
            keys[file] = file
    return [keys[file] for file in files]


def _digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(path.iterdir()) if path.is_dir() else [path]:
        with name.open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()


def duplicates(
    located: Located, keys: Sequence[Hashable], study: Splits, class_names: Sequence[str]
) -> list[Problem]:
    """Return a problem for every video whose content, ``keys``, an earlier one with another id has.

    The key of those that can't be read is None; ``study`` are the splits that a study makes of them.
    """
    used = {record.video_id: split for split, records in study.items() for record in records}
    same: dict[Hashable, list[tuple[str, VideoRecord]]] = defaultdict(list)
    for place, key in zip(located, keys, strict=True):
        if key is not None:
            same[key, place[1].seconds].append(place)
    problems = []
    for (first_split, first), *others in same.values():
        for split, record in others:
            if record.video_id == first.video_id:
                continue
            detail = f"the same content as {first.video_id} in {first_split}"
            in_study = [used.get(each.video_id, "") for each in (first, record)]
            if all(in_study) and in_study[0] != in_study[1]:
                detail += f"; a study has them in {' and '.join(in_study)}"
            if _classes(record) != _classes(first):
                mine, other = (
                    " and ".join(named(class_names[label]) for label in _classes(each))
                    for each in (record, first)
                )
                detail += f", under two labels: {mine} here, {other} there"
            problems.append(Problem.of(record, "duplicate", split, detail, f"{first_split}/{first.video_id}"))
    return problems


def shared(splits: Splits) -> list[Problem]:
    """Return a problem for every video id that is annotated more than once."""
    records = {record.video_id: record for records in splits.values() for record in records}
    return [
        Problem.of(
            records[video_id],
            "shared",
            "+".join(dict.fromkeys(names)),
            f"annotated {len(names)} times, in {' and '.join(names)}",
        )
        for video_id, names in shared_ids(splits).items()
    ]


def in_two_splits(located: Located, keys: Sequence[Hashable], *, split_files: bool) -> list[Problem]:
    """Return a problem for every file with parts in two splits, those that are duplicates left out."""
    problems = []
    for found in shared_files(located, keys):
        (first_split, first), (split, record) = found.first, found.second
        if first.seconds != record.seconds and (found.same_time or not split_files):
            kind: Kind = "same time" if found.same_time else "two splits"
            what = "shows some of the same as" if found.same_time else "is of the same file as"
            detail = f"{what} {first.video_id} in {first_split}"
            problems.append(Problem.of(record, kind, f"{first_split}+{split}", detail))
    return problems


def few_of_a_class(annotations: Annotations, study: Splits) -> tuple[list[Problem], list[str]]:
    """Return the classes that can't be learned or tested, and what is said of others with hardly any videos."""
    given = {name: records for name, records in annotations.splits().items() if records}
    counts = {name: _counts(records) for name, records in given.items()}
    in_study = {name: _counts(records) for name, records in study.items()}
    problems, rare = [], []
    for label, name in enumerate(annotations.class_names):
        total = sum(count[label] for count in counts.values())
        without = [split for split in ("train", "test") if split in counts and not counts[split][label]]
        if total < 2 or without:
            reason = (
                f"no video in {' and '.join(without)}"
                if without and total > 1
                else f"{total} video{'s' * (total != 1)} in all"
            )
            problems.append(Problem("few", "+".join(without), name, "", f"the class has {reason}"))
        elif hardly := [
            f"{count[label]} in {split}" for split, count in in_study.items() if count[label] < 2
        ]:
            rare.append(f"{named(name)} ({', '.join(hardly)})")
    if not rare:
        return problems, []
    have = "class has" if len(rare) == 1 else "classes have"
    more = ", ..." if len(rare) > 10 else ""
    return problems, [
        f"{len(rare)} {have} one video or none in a split of a study: {', '.join(rare[:10])}{more}"
    ]


def _classes(record: VideoRecord) -> tuple[int, ...]:
    return record.labels or (record.label,)


def _counts(records: Sequence[VideoRecord]) -> Counter[int]:
    return Counter(label for record in records for label in _classes(record))
