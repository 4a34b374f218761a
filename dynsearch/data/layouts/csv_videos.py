"""Any data set as CSV files of ``path,label[,start,end]``.

``train.csv``, ``val.csv`` and ``test.csv``, or one file for all, with commas, tabs, semicolons or blanks between
the cells. Without a header the columns are those above; with one, they may come in any order, with a column of groups
(``group``, ``subject``, ``person``, ...) and one called ``split``. Paths are relative to the data root, of video
files or folders of frames; start and end are in seconds.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from dynsearch.data.layouts.groups import take_test_groups
from dynsearch.data.layouts.list_files import find_lists
from dynsearch.data.layouts.listed_videos import ListedVideo, class_numbers, read_list
from dynsearch.data.layouts.split_names import Role, annotations_of
from dynsearch.data.records import Annotations, VideoRecord
from dynsearch.errors import DataError


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
