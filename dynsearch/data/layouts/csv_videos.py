"""Any data set as CSV files of ``path,label[,start,end]``.

``train.csv``, ``val.csv`` and ``test.csv``, or one file for all, with commas, tabs, semicolons or blanks between
the cells. Without a header the columns are those above; with one, they may come in any order, with a column of groups
(``group``, ``subject``, ``person``, ...) and one called ``split``. Paths are relative to the data root, of video
files or folders of frames; start and end are in seconds.
"""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dynsearch.data.layouts.groups import GROUP_COLUMNS, take_test_groups
from dynsearch.data.layouts.list_files import find_lists
from dynsearch.data.layouts.split_names import Role, annotations_of, role_of
from dynsearch.data.layouts.text_files import bad_line, read_table
from dynsearch.data.records import Annotations, VideoRecord
from dynsearch.errors import DataError, shown

_COLUMNS = ("path", "label", "start", "end")
_OTHER_NAMES = {
    "path": ("file", "filename", "video", "video_path", "clip"),
    "label": ("class", "class_name", "category"),
    "start": ("start_seconds", "time_start"),
    "end": ("end_seconds", "time_end"),
    "group": GROUP_COLUMNS,
    "split": ("subset", "part"),
}


class _Row(NamedTuple):
    path: str
    label: str
    seconds: tuple[float, float] | None
    group: str | None
    split: Role | None


def read_csv_videos(root: Path, *, test_groups: str | None = None) -> Annotations:
    """Read the CSV file or files in a folder.

    Args:
        root: The folder that holds them and, below it, the videos.
        test_groups: Groups joined by + that are the test split; None takes the split that the files name,
            or leaves the test split to be carved.

    Raises:
        DataError: There is no CSV file, or several without names that tell them apart, or one is not in the
            format above, or a path leaves the root.
    """
    files, notes = find_lists(root)
    rows = {role: _read_rows(path) for role, path in files.items()}
    class_names = _sorted_names({row.label for part in rows.values() for row in part})
    if len(class_names) < 2:
        raise DataError(
            f"has {len(class_names)} class, at least 2 are needed", where=str(next(iter(files.values())))
        )
    labels = {name: label for label, name in enumerate(class_names)}
    parts: dict[Role, list[VideoRecord]] = defaultdict(list)
    names: dict[Role, str] = {}
    for listed, part in rows.items():
        for row in part:
            role = row.split or listed
            parts[role].append(_record(root, row, labels, files[listed]))
            names[role] = f"split {role} of {files[listed].name}" if row.split else files[listed].name
    annotations = annotations_of(class_names, parts, names, where=str(root), notes=notes)
    return take_test_groups(annotations, test_groups, where=root)


def _read_rows(path: Path) -> list[_Row]:
    table = read_table(path)
    places = _header(table[0][1])
    if places is not None:
        table = table[1:]
        if "path" not in places or "label" not in places:
            raise bad_line(path, 1, "columns called path and label", ", ".join(places))
    else:
        places = {name: place for place, name in enumerate(_COLUMNS[: len(table[0][1])])}
    return [_read_row(row, places, path, number) for number, row in table]


def _header(cells: Sequence[str]) -> dict[str, int] | None:
    """Return the place of each column, or None where the first row is no header."""
    places: dict[str, int] = {}
    for place, cell in enumerate(cells):
        for column in (*_COLUMNS, "group", "split"):
            names = (column, *_OTHER_NAMES[column])
            if cell.lower() in names and column not in places:
                places[column] = place
    return places if "path" in places or "label" in places else None


def _read_row(row: Sequence[str], places: Mapping[str, int], path: Path, number: int) -> _Row:
    if len(row) < 2 or len(row) <= max(places[name] for name in ("path", "label")):
        raise bad_line(path, number, "path,label[,start,end]", ",".join(row))
    cells = {name: row[place] for name, place in places.items() if place < len(row) and row[place]}
    if "path" not in cells or "label" not in cells:
        raise bad_line(path, number, "a path and a label", ",".join(row))
    seconds = None
    if "start" in cells or "end" in cells:
        try:
            seconds = (float(cells.get("start", 0)), float(cells.get("end", math.inf)))
        except ValueError:
            raise bad_line(path, number, "start and end in seconds", ",".join(row)) from None
        if not 0 <= seconds[0] < seconds[1]:
            raise bad_line(path, number, "0 <= start < end", ",".join(row))
    split = role_of(cells["split"]) if "split" in cells else None
    if split is None and "split" in cells:
        raise bad_line(path, number, "train, val or test as its split", cells["split"])
    return _Row(cells["path"], cells["label"], seconds, cells.get("group"), split)


def _record(root: Path, row: _Row, labels: Mapping[str, int], listed: Path) -> VideoRecord:
    if "\0" in row.path:
        raise DataError(f"the path {shown(row.path)} is none", where=str(listed))
    path = Path(os.path.normpath(root / row.path))
    if listed.parent != root and not path.exists():
        beside = Path(os.path.normpath(listed.parent / row.path))
        path = beside if beside.exists() else path
    for place in (os.path.normpath(root), os.path.realpath(root)):
        if path.is_relative_to(place):
            path = root / path.relative_to(place)
            break
    video_id = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
    if row.seconds is not None:
        video_id += f"#{row.seconds[0]:g}-{row.seconds[1]:g}"
    return VideoRecord(video_id, path, labels[row.label], row.group, row.seconds)


def _sorted_names(names: set[str]) -> tuple[str, ...]:
    """Return class names in order, numbers by their value."""
    if all(name.isdecimal() for name in names):
        return tuple(sorted(names, key=int))
    return tuple(sorted(names))
