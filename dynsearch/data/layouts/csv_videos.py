"""Any data set as CSV files of ``path,label[,start,end]``.

``train.csv``, ``val.csv`` and ``test.csv``, or one file for all, with commas, tabs, semicolons or blanks between
the cells. Without a header the columns are those above; with one, they may come in any order, with a column of groups
(``group``, ``subject``, ``person``, ...) and one called ``split``. Paths are relative to the data root, of video
files or folders of frames; start and end are in seconds.
"""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from dynsearch.data.layouts.groups import take_test_groups
from dynsearch.data.layouts.listed_videos import ListedVideo, class_numbers, read_list
from dynsearch.data.layouts.split_names import Role, annotations_of, pick
from dynsearch.data.records import Annotations, VideoRecord
from dynsearch.data.video_names import entries_of, is_folder
from dynsearch.errors import DataError

_ENDINGS = (".csv", ".tsv", ".txt")
_FOLDERS = ("annotations", "annotation", "labels", "lists", "splits", "split")


def read_csv_videos(root: Path, *, test_groups: str | None = None) -> Annotations:
    """Read the CSV file or files in a folder; ``test_groups`` as for class folders.

    Raises:
        DataError: There is no CSV file, or several without names that tell them apart, or one is not in the
            format above, or a path leaves the root.
    """
    files, notes = _find_lists(root)
    rows = {role: read_list(path, root) for role, path in files.items()}
    class_names, labels = class_numbers(row.label for part in rows.values() for row in part)
    if len(class_names) < 2:
        raise DataError(
            f"has {len(class_names)} class, at least 2 are needed", where=str(next(iter(files.values())))
        )
    parts: dict[Role, list[VideoRecord]] = defaultdict(list)
    names: dict[Role, str] = {}
    for listed, part in rows.items():
        for row in part:
            role = row.split or listed
            parts[role].append(_record(root, row, labels, files[listed]))
            names[role] = f"split {role} of {files[listed].name}" if row.split else files[listed].name
    annotations = annotations_of(class_names, parts, names, where=str(root), notes=notes)
    return take_test_groups(annotations, test_groups, where=root)


def read_everything(root: Path) -> Annotations:
    """Read the CSV file or files in a folder, whatever splits they name, as test videos; one that is there twice, once.

    Raises:
        DataError: There is no CSV file, or one is not in the format above, or a path leaves the root.
    """
    files, notes = _find_lists(root, everything=True)
    rows = [(path, row) for path in files.values() for row in read_list(path, root)]
    class_names, labels = class_numbers(row.label for _, row in rows)
    records = {record.video_id: record for record in (_record(root, row, labels, path) for path, row in rows)}
    test = list(records.values())
    return Annotations(class_names=class_names, train=[], test=test, notes=tuple(notes), own=True)


def _record(root: Path, row: ListedVideo, labels: Mapping[str, int], listed: Path) -> VideoRecord:
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


def _find_lists(root: Path, *, everything: bool = False) -> tuple[dict[Role, Path], list[str]]:
    """Return the list of each split, ``train`` where one is for all, and what is said of other files.

    They lie in the data root or, where it has none, in a folder such as ``annotations/`` or ``splits/``. With
    ``everything``, none has to be one to train on.
    """
    names = _lists_in(root)
    for entry in () if _is_any(names) else entries_of(root):
        if entry.name.lower() in _FOLDERS and is_folder(entry):
            names += [f"{entry.name}/{name}" for name in _lists_in(root / entry.name)]
    picked, others = pick(names, words=True, where=str(root))
    tables = [name for name in names if not name.lower().endswith(".txt")] or names
    if not picked and len(tables) == 1:
        picked, others = {"train": tables[0]}, [name for name in names if name != tables[0]]
    elif "train" not in picked and not (everything and picked):
        raise DataError(
            f"holds {len(tables)} CSV files ({', '.join(tables[:5])}), expected train.csv and test.csv, or one for all"
            if tables
            else "holds 0 CSV files, expected train.csv and test.csv, or one for all",
            where=str(root),
        )
    notes = [f"not read beside {' and '.join(picked.values())}: {', '.join(others[:10])}"] if others else []
    return {role: root / name for role, name in picked.items()}, notes


def _is_any(names: Sequence[str]) -> bool:
    """Return whether there are lists among files, of which a text may be anything."""
    return bool(pick(names, words=True, where="")[0]) or any(
        not name.lower().endswith(".txt") for name in names
    )


def _lists_in(folder: Path) -> list[str]:
    return [
        each.name
        for each in entries_of(folder)
        if not is_folder(each) and each.name.lower().endswith(_ENDINGS)
    ]
