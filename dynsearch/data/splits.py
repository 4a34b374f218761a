"""The calibration split, carved out of the training videos, and the promise that splits are disjoint."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

from dynsearch.data.recordings import cut_from, file_keys, overlaps, units
from dynsearch.data.records import VideoRecord
from dynsearch.errors import DataError, InputError, named

ALLOW = "set split_files: true (`--set split_files=true`), which keeps only parts that share time together"
"""How a user says that parts of one file may be in several splits."""


def carve_calibration(
    records: Sequence[VideoRecord],
    fraction: float,
    seed: int,
    *,
    purpose: str = "calibration",
    split_files: bool = False,
) -> tuple[list[VideoRecord], list[VideoRecord]]:
    """Split training videos into those to train on and those to calibrate on, class by class.

    Where videos share groups or files, whole units of them are taken (:func:`dynsearch.data.recordings.units`), those
    that bring each class nearest to its share, and at least the smallest one. A video's place depends on its id, its
    class, its unit and the seed only, so the order of the annotation file does not matter. Every class keeps at
    least one training video. ``purpose`` says in messages what the second part is for.

    Returns:
        Training and calibration videos, each sorted by class and then in an order drawn by the seed.

    Raises:
        InputError: ``fraction`` is not strictly between 0 and 1.
        DataError: There are too few videos to calibrate on any.
    """
    if not 0.0 < fraction < 1.0:
        raise InputError(f"calibration_fraction must be between 0 and 1, got {fraction:g}")
    by_class: dict[int, list[VideoRecord]] = defaultdict(list)
    for record in records:
        by_class[record.label].append(record)
    names = units(records, split_files=split_files)
    unit = {record.video_id: name for record, name in zip(records, names, strict=True)}
    shared = len(set(names)) < len(records)
    taken = (
        _draw_units(records, unit, fraction, seed)
        if shared or any(record.group for record in records)
        else None
    )
    train: list[VideoRecord] = []
    calibration: list[VideoRecord] = []
    for label in sorted(by_class):
        drawn = sorted(by_class[label], key=lambda record: _draw(record.video_id, seed))
        if taken is None:
            count = min(round(fraction * len(drawn)), len(drawn) - 1)
            calibration += drawn[:count]
            train += drawn[count:]
        else:
            calibration += [record for record in drawn if unit[record.video_id] in taken]
            train += [record for record in drawn if unit[record.video_id] not in taken]
    if not calibration:
        together = f", in {len(set(names))} groups or files that are never split" if shared else ""
        looser = shared and len(set(units(records, split_files=True))) > len(set(names))
        raise DataError(
            f"{len(records)} training videos in {len(by_class)} classes{together}, leave none for {purpose}",
            hint=f"Add videos or give a larger share for {purpose}" + (f", or {ALLOW}" if looser else ""),
        )
    return train, calibration


def _draw_units(
    records: Sequence[VideoRecord], unit: Mapping[str, str], fraction: float, seed: int
) -> set[str]:
    """Return the units to calibrate on: in an order drawn by the seed, each that brings classes nearer."""
    groups: dict[str, Counter[int]] = defaultdict(Counter)
    for record in records:
        groups[unit[record.video_id]][record.label] += 1
    left = Counter(record.label for record in records)
    wanted = {label: fraction * count for label, count in left.items()}
    taken: set[str] = set()
    for name in sorted(groups, key=lambda name: _draw(name, seed)):
        labels = groups[name]
        before = sum(abs(wanted[label]) for label in labels)
        after = sum(abs(wanted[label] - count) for label, count in labels.items())
        if after < before and all(left[label] > count for label, count in labels.items()):
            taken.add(name)
            left.subtract(labels)
            for label, count in labels.items():
                wanted[label] -= count
    if not taken:  # Every group is more than the share: the smallest that leaves all classes something.
        rest = [name for name, labels in groups.items() if all(left[k] > n for k, n in labels.items())]
        taken.update(sorted(rest, key=lambda name: (groups[name].total(), _draw(name, seed)))[:1])
    return taken


def shared_ids(splits: Mapping[str, Sequence[VideoRecord]]) -> dict[str, list[str]]:
    """Return the ids that occur more than once, each with the split of every occurrence."""
    seen: dict[str, list[str]] = defaultdict(list)
    for name, records in splits.items():
        for record in records:
            seen[record.video_id].append(name)
    return {video_id: names for video_id, names in seen.items() if len(names) > 1}


def check_disjoint(
    splits: Mapping[str, Sequence[VideoRecord]], *, where: str, split_files: bool = False
) -> list[str]:
    """Make sure that no video id occurs twice, and no file, or time of a file, in two splits.

    Returns:
        What is said of groups in two splits, and of parts that share time inside one.

    Raises:
        DataError: One does; the first five are named.
    """
    repeated = shared_ids(splits)
    if repeated:
        first = ", ".join(
            f"{named(key)} ({' and '.join(names)})" for key, names in list(repeated.items())[:5]
        )
        raise DataError(
            f"{len(repeated)} video ids are annotated more than once, first {first}",
            where=where,
            hint="Keep each video in one split; `dynsearch data check` lists all",
        )
    located = [(split, record) for split, records in splits.items() for record in records]
    keys = file_keys(record for _, record in located)
    found = shared_files(located, keys)
    wrong = [one for one in found if one.same_time] if split_files else found
    if wrong:
        first = ", ".join(
            f"{named(one.first[1].video_id)} ({one.first[0]}) and {named(one.second[1].video_id)} ({one.second[0]})"
            for one in wrong[:5]
        )
        at_once = sum(one.same_time for one in found)
        raise DataError(
            f"{len(wrong)} files are in two splits, {at_once} of them at the same time, first {first}",
            where=where,
            hint="Keep each file in one split; `dynsearch data check` lists all"
            + ("" if at_once else f". Or {ALLOW}"),
        )
    return [*groups_note(splits), *overlaps_note(located, keys)]


class SharedFile(NamedTuple):
    """Two records of one file in two splits, each with its split; ``same_time`` where they show some of the same."""

    first: tuple[str, VideoRecord]
    second: tuple[str, VideoRecord]
    same_time: bool


def shared_files(located: Sequence[tuple[str, VideoRecord]], keys: Sequence[Hashable]) -> list[SharedFile]:
    """Return the files, as ``keys`` tell them, that are in two splits, each once, those of the same time first."""
    splits, records = [split for split, _ in located], [record for _, record in located]
    found: dict[Hashable, SharedFile] = {}
    for one, other in overlaps(records, keys, splits):
        if splits[one] != splits[other]:
            found.setdefault(keys[one], SharedFile(located[one], located[other], True))
    first: dict[Hashable, tuple[str, VideoRecord]] = {}
    for key, place in zip(keys, located, strict=True):
        if first.setdefault(key, place)[0] != place[0]:
            found.setdefault(key, SharedFile(first[key], place, False))
    return list(found.values())


def groups_note(splits: Mapping[str, Sequence[VideoRecord]]) -> list[str]:
    """Return what is said of groups, and recordings by their clips' names, that lie in two of the given splits."""
    found: dict[str, set[str]] = defaultdict(set)
    for split, records in splits.items():
        for record in records:
            if key := record.group or cut_from(record):
                found[key].add(split)
    parted = sorted(name for name, names in found.items() if len(names) > 1)
    if not parted:
        return []
    first = ", ".join(map(named, parted[:5]))
    return [f"{len(parted)} groups or recordings are in two of the splits that the lists name, first {first}"]


def overlaps_note(located: Sequence[tuple[str, VideoRecord]], keys: Sequence[Hashable]) -> list[str]:
    """Return what is said of records that share time of a file, as ``keys`` tell it, with others of their split."""
    pairs = [
        f"{named(located[one][1].video_id)} and {named(located[other][1].video_id)}"
        for one, other in overlaps([record for _, record in located], keys, [split for split, _ in located])
        if located[one][0] == located[other][0]
    ]
    text = (
        f"{len(pairs)} videos show some of the same as another of their split, first {', '.join(pairs[:5])}"
    )
    return [text] if pairs else []


def _draw(video_id: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}/{video_id}".encode(), digest_size=16).digest()
