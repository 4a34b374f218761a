"""FCVID: ``CLASS/VIDEO.mp4``, the split in ``FCVID_VideoName_TrainTestSplit.txt``, labels in ``FCVID_Label.txt``.

A line of the first is ``CLASS/VIDEO.mp4 train`` (or ``test``); the same line of the second has a 0 or 1 for each
of 239 categories. The files give categories no names, so each takes the name of the folder that most of
its videos with no other category lie in.

Source: Jiang et al., Exploiting Feature and Class Relationships in Video Categorization, PAMI 2018, and the data
set's own files.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from dynsearch.data.layouts.text_files import bad_line, find_files, in_folders, read_lines
from dynsearch.data.layouts.video_tree import VideoTree
from dynsearch.data.records import Annotations, VideoRecord
from dynsearch.errors import DataError, named, shown

_FOLDERS = ("", "materials", "annotations", "labels")
_SPLITS = ("train", "test")


def read_fcvid(root: Path) -> Annotations:
    """Read FCVID in its standard split; DataError where a file is missing or not in the format above."""
    names = {"split": "FCVID_VideoName_TrainTestSplit.txt", "labels": "FCVID_Label.txt"}
    files = find_files(root, {part: in_folders(name, folders=_FOLDERS) for part, name in names.items()})
    videos = [_read_name(files["split"], number, line) for number, line in read_lines(files["split"])]
    labels, num_classes = _read_matrix(files["labels"])
    if len(videos) != len(labels):
        raise DataError(
            f"has {len(labels)} lines, but {files['split'].name} has {len(videos)}",
            where=str(files["labels"]),
            hint="Take both from the same release",
        )
    tree = VideoTree(root)
    parts: dict[str, list[VideoRecord]] = {split: [] for split in _SPLITS}
    taken: dict[Path, PurePosixPath] = {}
    for (name, split), classes in zip(videos, labels, strict=True):
        if classes:
            path = tree.find(name.stem, where=str(files["split"]), folder=name.parent.name)
            if (other := taken.setdefault(path, name)) is not name:
                raise DataError(
                    f"{shown(str(other))} and {shown(str(name))} are one file, {named(path.name)}",
                    where=str(files["split"]),
                )
            parts[split].append(VideoRecord.of_classes(name.with_suffix("").as_posix(), path, classes))
    return Annotations(
        class_names=_class_names([name for name, _ in videos], labels, num_classes),
        train=parts["train"],
        test=parts["test"],
    )


def _read_name(path: Path, number: int, line: str) -> tuple[PurePosixPath, str]:
    """Return a video's path below the root, and its split."""
    name, _, split = line.replace("\t", " ").rpartition(" ")
    if not name or split not in _SPLITS:
        raise bad_line(path, number, "`CLASS/VIDEO.mp4 train` or `... test`", line)
    relative = PurePosixPath(name.strip().replace("\\", "/"))
    if len(relative.parts) < 2 or not name.isprintable():
        raise bad_line(path, number, "`CLASS/VIDEO.mp4 train` or `... test`", line)
    if relative.is_absolute() or ".." in relative.parts:
        raise DataError(
            f"line {number}: the path {shown(str(relative))} would leave the data root", where=str(path)
        )
    return relative, split


def _read_matrix(path: Path) -> tuple[list[tuple[int, ...]], int]:
    """Return the classes of each line, and how many classes there are."""
    found: list[tuple[int, ...]] = []
    width = None
    for number, line in read_lines(path):
        try:
            row = np.array(line.split(), dtype=np.float32)
        except ValueError:
            row = np.array([np.nan])
        width = width or len(row)
        if len(row) != width or not np.isin(row, (0, 1)).all():
            raise bad_line(path, number, f"{width} values 0 or 1", line)
        found.append(tuple(np.flatnonzero(row).tolist()))
    return found, width or 0


def _class_names(
    names: Sequence[PurePosixPath], labels: Sequence[tuple[int, ...]], num: int
) -> tuple[str, ...]:
    """Return a name for each category: the folder of most of the videos that have it alone."""
    folders: dict[int, Counter[str]] = defaultdict(Counter)
    for name, classes in zip(names, labels, strict=True):
        if len(classes) == 1:
            folders[classes[0]][name.parent.name] += 1
    found = [folders[label].most_common(1)[0][0] if folders[label] else "" for label in range(num)]
    unique = [name and found.count(name) == 1 for name in found]
    return tuple(
        name if good else f"category {label + 1}"
        for label, (name, good) in enumerate(zip(found, unique, strict=True))
    )
