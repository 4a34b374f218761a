"""Groups of videos (persons, places, source films) and a test split made of whole groups."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from dynsearch.data.records import Annotations, VideoRecord, groups_of
from dynsearch.data.video_names import VIDEO_ENDINGS, ending_of
from dynsearch.errors import DataError, InputError, shown
from dynsearch.tables import GROUP_COLUMNS, composed, plain_name, read_table, unmatched_rows


def take_test_groups(annotations: Annotations, names: str | None, *, where: Path) -> Annotations:
    """Return the same videos with those of some groups, joined by +, as the test split, and all others to train on.

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


def read_group_file(path: Path, names: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the group of each video that a CSV file names, and what is to be said of it.

    Only in a file called groups may the column of groups have any name; others without one are about something else.
    ``names`` has every way to name a video, as ``video_key`` has it -> the video's id.

    Raises:
        DataError: No column names the videos, or none the groups, or a video is in two groups.
    """
    rows = read_table(path, DataError, lambda header: False).rows
    hits = [sum(video_key(row[column]) in names for row in rows) for column in range(len(rows[0]))]
    column = max(range(len(hits)), key=hits.__getitem__)
    first = rows[0][column]
    has_header = video_key(first) not in names and ending_of(first) not in VIDEO_ENDINGS
    header = [plain_name(cell) for cell in rows[0]] if has_header else []
    named = [place for place, cell in enumerate(header) if cell in GROUP_COLUMNS and place != column]
    if not named and path.stem.lower() != "groups":
        if hits[column] and not has_header:
            raise DataError(
                "names videos, but its columns have no names",
                where=str(path),
                hint="Call it groups.csv if it has their groups, or write a header",
            )
        return {}, [
            f"{path.name} is not used, as it has no column called {', '.join(GROUP_COLUMNS[:3])} or the like"
        ]
    if not hits[column]:
        raise DataError(
            "none of its columns names the videos",
            where=str(path),
            hint="Write each video's path under the data root",
        )
    others = named or [place for place in range(len(hits)) if place != column]
    if len(others) != 1:
        raise DataError(
            f"has {len(others)} columns that may be the groups",
            where=str(path),
            hint=f"Call the right one {' or '.join(GROUP_COLUMNS[:3])}",
        )
    groups: dict[str, str] = {}
    unknown = []
    for row in rows[int(has_header) :]:
        name, group = row[column], composed(row[others[0]])
        video = names.get(video_key(name))
        if video is None:
            unknown.append(name)
        elif groups.setdefault(video, group) != group:
            raise DataError(f"{shown(name)} is in two groups, {groups[video]} and {group}", where=str(path))
    notes = unmatched_rows(path.name, unknown, len(rows) - has_header)
    groups = {video: group for video, group in groups.items() if group}
    return groups, notes if groups else [
        *notes,
        f"{path.name} gives no video a group: all its cells are blank",
    ]


def video_key(text: str) -> str:
    """Return a path or name of a video as it is compared with others."""
    return composed(text.replace("\\", "/").removeprefix("./"))


def with_groups(records: Sequence[VideoRecord], groups: Mapping[str, str]) -> list[VideoRecord]:
    """Return the records with the groups of their ids."""
    return [dataclasses.replace(record, group=groups.get(record.video_id)) for record in records]
