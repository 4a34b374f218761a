"""The calibration split, carved out of the training videos, and the promise that splits are disjoint."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence

from dynsearch.data.records import VideoRecord
from dynsearch.errors import DataError, InputError


def carve_calibration(
    records: Sequence[VideoRecord], fraction: float, seed: int
) -> tuple[list[VideoRecord], list[VideoRecord]]:
    """Split training videos into those to train on and those to calibrate on, class by class.

    A video's place depends on its id, its class and the seed only, so the order of the annotation file
    does not matter. Every class keeps at least one training video.

    Args:
        records: N labelled training videos with distinct ids.
        fraction: Share of each class that goes to calibration, strictly between 0 and 1.
        seed: Another seed gives another split.

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
    train: list[VideoRecord] = []
    calibration: list[VideoRecord] = []
    for label in sorted(by_class):
        drawn = sorted(by_class[label], key=lambda record: _draw(record.video_id, seed))
        count = min(round(fraction * len(drawn)), len(drawn) - 1)
        calibration += drawn[:count]
        train += drawn[count:]
    if not calibration:
        raise DataError(
            f"{len(records)} training videos in {len(by_class)} classes leave none for calibration",
            hint="Add videos or give a larger calibration fraction",
        )
    return train, calibration


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
        first = ", ".join(f"{key} ({' and '.join(names)})" for key, names in list(repeated.items())[:5])
        raise DataError(
            f"{len(repeated)} video ids are annotated more than once, first {first}",
            where=where,
            hint="Keep each video in one split; `dynsearch data check` lists all",
        )


def _draw(video_id: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}/{video_id}".encode(), digest_size=16).digest()
