"""The rows of a list of videos: which column is which, with a header or without."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dynsearch.data.layouts.disk_names import DiskNames
from dynsearch.data.layouts.split_names import Role, role_of
from dynsearch.data.video_names import VIDEO_ENDINGS, ending_of
from dynsearch.errors import DataError, shown
from dynsearch.tables import GROUP_COLUMNS, Table, composed, number_of, plain_name, read_table

_COLUMNS: dict[str, Sequence[str]] = {
    "path": (
        "path", "video_path", "clip_path", "filepath", "file_path", "file", "filename", "file_name", "video",
        "video_name", "relative_path", "rel_path", "video_file", "video_filename", "videoname", "clip", "clip_name",
        "vid", "name", "video_id", "clip_id", "id",
    ),
    "label": (
        "label", "class", "class_name", "classname", "label_name", "category", "category_name", "tag", "action",
        "action_name", "activity", "gesture", "sign", "gloss", "genre", "target", "labels", "label_id", "class_id",
        "class_index", "category_id", "action_id", "y",
    ),
    "start": ("start", "start_seconds", "time_start", "start_time", "start_sec"),
    "end": ("end", "end_seconds", "time_end", "end_time", "end_sec"),
    "group": GROUP_COLUMNS,
    "split": ("split", "subset", "part"),
}  # fmt: skip
"""Names that a column may have; of several columns the first name counts."""


class ListedVideo(NamedTuple):
    """One row of a list."""

    path: str
    label: str
    seconds: tuple[float, float] | None
    group: str | None
    split: Role | None


def read_list(path: Path, root: Path) -> list[ListedVideo]:
    """Return the rows of a list, whose paths are relative to ``root`` or else to its own folder.

    It is a table with columns of paths and labels, or without a header ``path,label[,start,end]``, or
    ``path frames label`` with blanks between, as TSN's lists are.

    Raises:
        DataError: It is no such table; the message has the line.
    """
    disk = DiskNames(root, path.parent)
    table = read_table(path, DataError, lambda names: {"path", "label"} <= _places(names).keys())
    places = _places([plain_name(name) for name in table.header]) or _unnamed(table, disk)
    return [_listed(table, number, places, disk) for number in range(len(table.rows))]


def class_numbers(labels: Iterable[str]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Return the names of the classes in order, numbers by their value, and the number of each label.

    Where all labels are whole numbers, ``3.0`` is 3, as programs write columns that once had a gap.
    """
    name_of = {label: label for label in labels}
    if all(re.fullmatch(r"[0-9]+(\.0+)?", label) for label in name_of):
        name_of = {label: label.partition(".")[0] for label in name_of}
    numbers = all(name.isdecimal() for name in name_of.values())
    names = sorted(set(name_of.values()))
    if numbers:
        names.sort(key=lambda name: (len(name.lstrip("0")), name.lstrip("0")))
    return tuple(names), {label: names.index(name) for label, name in name_of.items()}


def _places(names: Sequence[str]) -> dict[str, int]:
    """Return the place of each column that a header has."""
    found = {
        column: next((names.index(name) for name in known if name in names), None)
        for column, known in _COLUMNS.items()
    }
    return {column: place for column, place in found.items() if place is not None}


def _unnamed(table: Table, disk: DiskNames) -> dict[str, int]:
    """Return the place of each column of a list without a header; an unknown header in the first row is refused."""
    first, width = table.rows[0], len(table.rows[0])
    is_video = disk.find(first[0]) or ending_of(first[0]) in VIDEO_ENDINGS or re.search(r"[/\\]", first[0])
    if not is_video:
        names = [plain_name(cell) for cell in first]
        paths, labels = (", ".join(_COLUMNS[name][1:10]) for name in ("path", "label"))
        hint = f"Paths may also be called {paths}; labels {labels}"
        if "youtube_id" in names:
            hint = "Read Kinetics' own lists with --dataset kinetics400, or add a column called path"
        elif "path" in _places(names):
            hint = f"Name its column of labels; a list that has none is not for here. {hint}"
        raise DataError(
            f"line {table.lines[0]}: expected columns called path and label, got {shown(', '.join(first))}",
            where=table.path,
            hint=hint,
        )
    numbers = all(cell.isdecimal() for row in table.rows for cell in row[1:])
    if width == 2 or (width == 4 and not (table.separator == " " and numbers)):
        return {name: place for place, name in enumerate(("path", "label", "start", "end")[:width])}
    if width == 3 and table.separator == " " and numbers:
        return {"path": 0, "label": 2}
    raise DataError(
        f"line {table.lines[0]}: expected path,label[,start,end], got {shown(','.join(first))}",
        where=table.path,
        hint="Write a header that says which column is which, for instance path,num_frames,label",
    )


def _listed(table: Table, number: int, places: Mapping[str, int], disk: DiskNames) -> ListedVideo:
    row = table.rows[number]

    def bad(expected: str) -> DataError:
        return DataError(
            f"line {table.lines[number]}: expected {expected}, got {shown(','.join(row))}", where=table.path
        )

    cells = {name: row[place] for name, place in places.items() if row[place]}
    if "path" not in cells or "label" not in cells:
        raise bad("a path and a label")
    if any("\n" in cell for cell in cells.values()):
        raise bad("cells of one line")
    seconds = None
    if "start" in cells or "end" in cells:
        try:
            seconds = (number_of(cells.get("start", "0")), number_of(cells.get("end", "inf")))
        except ValueError:
            raise bad("start and end in seconds") from None
        if not 0 <= seconds[0] < seconds[1]:
            raise bad("0 <= start < end")
    split = role_of(cells["split"]) if "split" in cells else None
    if split is None and "split" in cells:
        raise bad("train, val or test as its split")
    path = disk.find(cells["path"]) or cells["path"].replace("\\", "/")
    label, group = composed(cells["label"]), cells.get("group")
    return ListedVideo(path, label, seconds, group and composed(group), split)
