"""Any data set as CSV files of ``path,label[,start,end]``.

``train.csv`` and ``test.csv`` (or ``val.csv``), or one file for all. Without a header the columns are those
above; with one, they may come in any order, with a column of groups (``group``, ``subject``, ``person``, ...)
and one called ``split``. Paths are relative to the data root, of video files or folders of frames; start and end
are in seconds.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from dynsearch.data.byproducts import is_byproduct
from dynsearch.data.layouts.groups import GROUP_COLUMNS, take_test_groups
from dynsearch.data.layouts.text_files import bad_line, read_rows
from dynsearch.data.records import Annotations, VideoRecord
from dynsearch.errors import DataError, shown

TEST_FOLDERS = ("test", "val", "validation", "validate", "testing")

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
    split: str | None


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
    files = _find_csv_files(root)
    rows = {split: _read_rows(path) for split, path in files.items()}
    class_names = _sorted_names({row.label for part in rows.values() for row in part})
    if len(class_names) < 2:
        raise DataError(
            f"has {len(class_names)} class, at least 2 are needed", where=str(next(iter(files.values())))
        )
    labels = {name: label for label, name in enumerate(class_names)}
    train: list[VideoRecord] = []
    test: list[VideoRecord] = []
    for split, part in rows.items():
        for row in part:
            is_test = (row.split or split).lower() in TEST_FOLDERS
            (test if is_test else train).append(_record(root, row, labels, files[split]))
    annotations = Annotations(class_names=class_names, train=train, test=test)
    return take_test_groups(annotations, test_groups, where=root)


def _find_csv_files(root: Path) -> dict[str, Path]:
    """Return the CSV files by the split they hold."""
    found = {path.stem.lower(): path for path in sorted(root.glob("*.csv")) if not is_byproduct(path.name)}
    if "train" in found:
        return {name: path for name, path in found.items() if name == "train" or name in TEST_FOLDERS}
    if len(found) == 1:
        return {"train": next(iter(found.values()))}
    raise DataError(
        f"holds {len(found)} CSV files, expected train.csv and test.csv, or one for all", where=str(root)
    )


def _read_rows(path: Path) -> list[_Row]:
    table = read_rows(path)
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
    return _Row(cells["path"], cells["label"], seconds, cells.get("group"), cells.get("split"))


def _record(root: Path, row: _Row, labels: Mapping[str, int], path: Path) -> VideoRecord:
    relative = PurePosixPath(row.path)
    inside = not relative.is_absolute() and ".." not in relative.parts and "\0" not in row.path
    found = root / relative
    if not inside or (os.path.exists(found) and not found.resolve().is_relative_to(root.resolve())):
        raise DataError(
            f"the path {shown(row.path)} would leave the data root",
            where=str(path),
            hint="Paths are relative to the data root; don't use annotation files that you don't trust",
        )
    video_id = relative.as_posix()
    if row.seconds is not None:
        video_id += f"#{row.seconds[0]:g}-{row.seconds[1]:g}"
    return VideoRecord(video_id, found, labels[row.label], row.group, row.seconds)


def _sorted_names(names: set[str]) -> tuple[str, ...]:
    """Return class names in order, numbers by their value."""
    if all(name.isdecimal() for name in names):
        return tuple(sorted(names, key=int))
    return tuple(sorted(names))
