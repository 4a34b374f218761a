"""Groups of videos (persons, places, source films) and a test split made of whole groups."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from dynsearch.data.layouts.text_files import read_rows
from dynsearch.data.records import Annotations, VideoRecord, groups_of
from dynsearch.errors import DataError, InputError

GROUP_COLUMNS = ("group", "subject", "person", "actor", "speaker", "performer", "user", "source")
"""Names that a column of groups may have."""


def take_test_groups(annotations: Annotations, names: str | None, *, where: Path) -> Annotations:
    """Return the same videos with those of some groups as the test split, and all others to train on.

    Args:
        annotations: The videos, in any splits.
        names: Groups joined by +, for instance ``3+9+14``; None leaves the splits as they are.
        where: The data root, for the message.

    Raises:
        InputError: There is no such group, or they are all.
    """
    if names is None:
        return annotations
    records = annotations.records()
    known = groups_of(records)
    wanted = names.split("+")
    unknown = [name for name in wanted if name not in known]
    if unknown or set(wanted) == set(known):
        shown = ", ".join(known[:30]) or "none"
        raise InputError(
            f"there is no group {unknown[0]!r}"
            if unknown
            else "these are all groups, none is left to train on",
            where=str(where),
            hint=f"Groups there: {shown}",
        )
    return dataclasses.replace(
        annotations,
        train=[record for record in records if record.group not in wanted],
        calibration=[],
        test=[record for record in records if record.group in wanted],
    )


def read_group_file(path: Path, names: Mapping[str, str]) -> dict[str, str]:
    """Return the group of each video that a CSV file names.

    Args:
        path: A file with a column of videos and a column of groups, with or without a header.
        names: Every way to name a video (relative path, file name, with and without ending) -> its id.

    Raises:
        DataError: No column names the videos, or none the groups.
    """
    rows = read_rows(path)
    header = [cell.lower() for cell in rows[0][1]]
    hits = [
        sum(row[column] in names for _, row in rows if column < len(row)) for column in range(len(header))
    ]
    column = max(range(len(header)), key=hits.__getitem__)
    if not hits[column]:
        raise DataError(
            "none of its columns names the videos",
            where=str(path),
            hint="Write each video's path under the data root",
        )
    named = [place for place, cell in enumerate(header) if cell in GROUP_COLUMNS]
    others = named or [place for place in range(len(header)) if place != column]
    if len(others) != 1:
        raise DataError(
            f"has {len(others)} columns that may be the groups",
            where=str(path),
            hint=f"Call the right one {' or '.join(GROUP_COLUMNS[:3])}",
        )
    (place,) = others
    return {
        names[row[column]]: row[place]
        for _, row in rows
        if len(row) > max(column, place) and row[column] in names
    }


def with_groups(records: Sequence[VideoRecord], groups: Mapping[str, str]) -> list[VideoRecord]:
    """Return the records with the groups of their ids."""
    return [dataclasses.replace(record, group=groups.get(record.video_id)) for record in records]
