"""The calibration split, carved out of the training videos, and the promise that splits are disjoint."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from dynsearch.data.records import VideoRecord
from dynsearch.errors import DataError, InputError, named


def carve_calibration(
    records: Sequence[VideoRecord], fraction: float, seed: int, *, purpose: str = "calibration"
) -> tuple[list[VideoRecord], list[VideoRecord]]:
    """Split training videos into those to train on and those to calibrate on, class by class.

    Where videos have groups, whole groups are taken, those that bring each class nearest to its share, and at
    least the smallest one; a video without one is a group of its own. A video's place depends on its id, its
    class, its group and the seed only, so the order of the annotation file does not matter. Every class keeps at
    least one training video.

    Args:
        records: N labelled training videos with distinct ids.
        fraction: Share of each class that goes to calibration, strictly between 0 and 1.
        seed: Another seed gives another split.
        purpose: What the second part is for, in messages.

    Returns:
        Training and calibration videos, each sorted by class and then in an order drawn by the seed.

    Raises:
        InputError: ``fraction`` is out of range.
        DataError: There are too few videos to calibrate on any.
    """
    if not 0.0 < fraction < 1.0:
        raise InputError(f"calibration_fraction must be between 0 and 1, got {fraction:g}")
    by_class: dict[int, list[VideoRecord]] = defaultdict(list)
    for record in records:
        by_class[record.label].append(record)
    taken = _draw_groups(records, fraction, seed) if any(record.group for record in records) else None
    train: list[VideoRecord] = []
    calibration: list[VideoRecord] = []
    for label in sorted(by_class):
        drawn = sorted(by_class[label], key=lambda record: _draw(record.video_id, seed))
        if taken is None:
            count = min(round(fraction * len(drawn)), len(drawn) - 1)
            calibration += drawn[:count]
            train += drawn[count:]
        else:
            calibration += [record for record in drawn if _group(record) in taken]
            train += [record for record in drawn if _group(record) not in taken]
    if not calibration:
        raise DataError(
            f"{len(records)} training videos in {len(by_class)} classes leave none for {purpose}",
            hint=f"Add videos or give a larger share for {purpose}",
        )
    return train, calibration


def _draw_groups(records: Sequence[VideoRecord], fraction: float, seed: int) -> set[str]:
    """Return the groups to calibrate on: in an order drawn by the seed, each that brings classes nearer."""
    groups: dict[str, Counter[int]] = defaultdict(Counter)
    for record in records:
        groups[_group(record)][record.label] += 1
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


def _group(record: VideoRecord) -> str:
    return f"group {record.group}" if record.group is not None else f"video {record.video_id}"


def shared_ids(splits: Mapping[str, Sequence[VideoRecord]]) -> dict[str, list[str]]:
    """Return the ids that occur more than once, each with the split of every occurrence."""
    seen: dict[str, list[str]] = defaultdict(list)
    for name, records in splits.items():
        for record in records:
            seen[record.video_id].append(name)
    return {video_id: names for video_id, names in seen.items() if len(names) > 1}


def check_disjoint(splits: Mapping[str, Sequence[VideoRecord]], *, where: str) -> None:
    """Make sure that no video id occurs twice.

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


def _draw(video_id: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}/{video_id}".encode(), digest_size=16).digest()
