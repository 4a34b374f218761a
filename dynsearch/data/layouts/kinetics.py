"""Kinetics-400 and Mini-Kinetics: YouTube clips named by id and seconds, in class folders or flat.

``train.csv`` and ``val.csv`` have the columns ``label,youtube_id,time_start,time_end``; clips are
``ID_000417_000427.mp4`` or ``ID.mp4``, anywhere under the data root. Many clips have vanished from the web, so
missing ones are left out and listed. Without CSV files, ``train/CLASS/`` and ``val/CLASS/`` are read.

Mini-Kinetics is 200 classes of it: ``train_ytid_list.txt`` and ``val_ytid_list.txt`` beside the CSV files, or
``mini_kinetics_train.txt`` (``ID FRAMES LABEL`` a line) with ``minik_classInd.txt``.

Source: the data sets' own files; Xie et al., Rethinking Spatiotemporal Feature Learning, ECCV 2018, for the lists.
"""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dynsearch.data.layouts.class_folders import read_class_folders
from dynsearch.data.layouts.text_files import (
    bad_line,
    check_labels,
    find_files,
    frames_and_labels,
    in_folders,
    read_lines,
)
from dynsearch.data.layouts.video_tree import VideoTree, plain_name
from dynsearch.data.records import Annotations, VideoRecord
from dynsearch.errors import DataError, shown
from dynsearch.tables import read_table

_ID_LENGTH = 11
_COLUMNS = ("label", "youtube_id", "time_start", "time_end")
_NAMES = ("{}.csv", "kinetics_{}.csv", "kinetics-400_{}.csv", "kinetics400_{}.csv", "k400_{}.csv")
_ID_LISTS = {"train": in_folders("train_ytid_list.txt"), "test": in_folders("val_ytid_list.txt")}
_NUMBERED_LISTS = {
    "classes": in_folders("minik_classInd.txt", "classInd.txt"),
    "train": in_folders("mini_kinetics_train.txt"),
    "test": in_folders("mini_kinetics_val.txt"),
}


class _Clip(NamedTuple):
    youtube_id: str
    seconds: tuple[int, int] | None
    label: str

    def file_name(self) -> str:
        """Return what its file is called, without ending."""
        if self.seconds is None:
            return self.youtube_id
        return f"{self.youtube_id}_{self.seconds[0]:06d}_{self.seconds[1]:06d}"


def read_kinetics400(root: Path) -> Annotations:
    """Read Kinetics-400; its validation videos are our test split.

    Raises:
        DataError: Annotation files are missing, or one is not in the format above.
    """
    has_csv = any((root / name).is_file() for name in _csv_names("train"))
    if not has_csv and (root / "train").is_dir():
        return dataclasses.replace(read_class_folders(root), own=False)
    files = _find_csv_files(root)
    parts = {part: _read_csv(path) for part, path in files.items()}
    class_names = tuple(sorted({clip.label for clip in parts["train"]}))
    check_labels(
        (clip.label for clip in parts["test"] if clip.label not in set(class_names)),
        files["test"],
        files["train"].name,
    )
    return _annotations(root, class_names, parts, files)


def read_mini_kinetics(root: Path) -> Annotations:
    """Read Mini-Kinetics from either form of its lists; its validation videos are our test split.

    Raises:
        DataError: Lists are missing, or one is not in the format above.
    """
    if not any((root / name).is_file() for name in _NUMBERED_LISTS["train"]):
        return _read_id_lists(root)
    files = find_files(root, _NUMBERED_LISTS)
    class_names = tuple(line for _, line in read_lines(files.pop("classes")))
    parts = {part: _read_numbered(path, class_names) for part, path in files.items()}
    return _annotations(root, class_names, parts, files)


def _read_id_lists(root: Path) -> Annotations:
    """Read lists of ids, with the labels that Kinetics-400's own CSV files give them."""
    files = find_files(root, _ID_LISTS)
    known = {clip.youtube_id: clip for path in _find_csv_files(root).values() for clip in _read_csv(path)}
    parts: dict[str, list[_Clip]] = {}
    for part, path in files.items():
        ids = [line for _, line in read_lines(path)]
        absent = [youtube_id for youtube_id in ids if youtube_id not in known]
        if absent:
            raise DataError(
                f"{len(absent)} of its ids are in none of Kinetics-400's CSV files, first {shown(absent[:5])}",
                where=str(path),
                hint="Put Kinetics-400's whole train.csv and val.csv beside it",
            )
        parts[part] = [known[youtube_id] for youtube_id in ids]
    class_names = tuple(sorted({clip.label for clips in parts.values() for clip in clips}))
    return _annotations(root, class_names, parts, files)


def _csv_names(part: str) -> list[str]:
    return in_folders(*(name.format(part) for name in _NAMES))


def _find_csv_files(root: Path) -> dict[str, Path]:
    test = [*_csv_names("val"), *_csv_names("validate")]
    return find_files(root, {"train": _csv_names("train"), "test": test})


def _read_csv(path: Path) -> list[_Clip]:
    table = read_table(path, DataError)
    places = [table.place(column) for column in _COLUMNS]
    if None in places:
        raise bad_line(path, 1, f"the columns {','.join(_COLUMNS)}", ",".join(table.header))
    clips = []
    for number, row in zip(table.lines, table.rows, strict=True):
        try:
            label, youtube_id, start, end = (row[place] for place in places if place is not None)
            if not label:
                raise ValueError
            clips.append(_Clip(youtube_id, (round(float(start)), round(float(end))), label))
        except (ValueError, OverflowError):
            raise bad_line(path, number, ",".join(_COLUMNS), ",".join(row)) from None
    return clips


def _read_numbered(path: Path, class_names: Sequence[str]) -> list[_Clip]:
    clips = []
    for number, line in read_lines(path):
        video_id, labels = frames_and_labels(path, number, line, len(class_names), "ID")
        if len(labels) > 1:
            raise bad_line(path, number, "`ID FRAMES LABEL`, one label", line)
        clips.append(_Clip(video_id, None, class_names[labels[0]]))
    return clips


def _annotations(
    root: Path, class_names: tuple[str, ...], parts: dict[str, list[_Clip]], files: dict[str, Path]
) -> Annotations:
    clips = _Clips(VideoTree(root))
    labels = {name: label for label, name in enumerate(class_names)}
    records = {
        part: [
            VideoRecord(video_id, clips.find(clip, video_id, where=str(files[part])), labels[clip.label])
            for clip, video_id in zip(annotated, _video_ids(annotated), strict=True)
        ]
        for part, annotated in parts.items()
    }
    return Annotations(class_names=class_names, train=records["train"], test=records["test"])


def _video_ids(clips: Sequence[_Clip]) -> list[str]:
    """Return the YouTube id of each clip, with its seconds where others of the list are cut from the same video."""
    count = Counter(clip.youtube_id for clip in clips)
    return [clip.youtube_id if count[clip.youtube_id] == 1 else clip.file_name() for clip in clips]


class _Clips:
    """Clips under the data root, by YouTube id and, where their names have them, by seconds."""

    def __init__(self, tree: VideoTree) -> None:
        self.tree = tree
        self._by_id: dict[str, list[str]] = defaultdict(list)
        for name in tree.files:
            self._by_id[name[:_ID_LENGTH]].append(name)

    def find(self, clip: _Clip, video_id: str, *, where: str) -> Path:
        """Return a clip's file, or the path it should have; other seconds will do where its video has no other clip."""
        plain_name(clip.youtube_id, where=where)
        exact = [clip.file_name(), clip.youtube_id]
        names = self._by_id.get(clip.youtube_id, [])
        chosen = next(
            (name for name in exact if name in names),
            names[0] if len(names) == 1 and video_id == clip.youtube_id else exact[0],
        )
        return self.tree.find(chosen, where=where, folder=clip.label)
