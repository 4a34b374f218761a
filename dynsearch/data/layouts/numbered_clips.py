"""Jester and Something-Something v1: a folder of JPEG frames for each numbered clip, and CSV files.

``PREFIX-labels.csv`` has a class a line, ``PREFIX-train.csv`` and ``PREFIX-validation.csv`` have ``ID;CLASS``.
The official test files have no labels, so the validation videos are our test split. Clips may be video files
under the same ids instead.

Source: the data sets' own files, as downloaded from their pages.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dynsearch.data.layouts.text_files import bad_line, check_labels, find_files, in_folders, read_lines
from dynsearch.data.layouts.video_tree import without_missing
from dynsearch.data.records import Annotations, VideoRecord
from dynsearch.data.video_folder import SUFFIXES, plain_name
from dynsearch.errors import DataError


def read_numbered_clips(
    root: Path, *, how_to_get: str, allow_missing: bool = False, prefix: str, folder: str
) -> Annotations:
    """Read the annotation files and find the clips.

    Args:
        root: The folder that holds the CSV files and the folder of clips.
        how_to_get: What the user should download, for the message when something is missing.
        allow_missing: Accept annotated videos without frames.
        prefix: How the CSV files' names begin, for instance ``jester-v1``.
        folder: The folder of clips, for instance ``20bn-jester-v1``.

    Raises:
        DataError: Files or clips are missing, or a file is not in the format above.
    """
    parts = {"labels": "labels", "train": "train", "test": "validation"}
    files = find_files(
        root,
        {part: in_folders(f"{prefix}-{name}.csv", f"{name}.csv") for part, name in parts.items()},
        how_to_get=how_to_get,
    )
    if not (root / folder).is_dir():
        raise DataError(
            f"the data set is not complete there, missing: {folder}/ with a folder of frames for each clip",
            where=str(root),
            hint=how_to_get,
        )
    class_names = tuple(line for _, line in read_lines(files["labels"]))
    labels = {name: label for label, name in enumerate(class_names)}
    clips = _Clips(root / folder)
    records = {part: _read_part(files[part], labels, files["labels"], clips) for part in ("train", "test")}
    if not allow_missing:
        annotated = records["train"] + records["test"]
        gone = [record for record in annotated if record.path.name not in clips.names]
        without_missing(annotated, gone, root=root / folder, how_to_get=how_to_get, skip=False)
    return Annotations(class_names=class_names, train=records["train"], test=records["test"])


def _read_part(path: Path, labels: Mapping[str, int], labels_path: Path, clips: _Clips) -> list[VideoRecord]:
    records = []
    unknown = []
    for number, line in read_lines(path):
        video_id, semicolon, name = line.partition(";")
        if not semicolon or not name:
            raise bad_line(path, number, "`ID;CLASS`", line)
        if name in labels:
            records.append(VideoRecord(video_id, clips.find(video_id, where=str(path)), labels[name]))
        else:
            unknown.append(name)
    check_labels(unknown, path, labels_path.name)
    return records


class _Clips:
    """What lies in the folder of clips: folders of frames, or video files."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._real = path.resolve()
        with os.scandir(path) as entries:
            self._links = {entry.name: entry.is_symlink() for entry in entries}
        self.names = self._links.keys()

    def find(self, video_id: str, *, where: str) -> Path:
        """Return a clip's folder or file, or the folder it should have."""
        plain_name(video_id, where=where)
        names = (video_id, *(f"{video_id}{suffix}" for suffix in SUFFIXES))
        name = next((name for name in names if name in self._links), video_id)
        path = self._path / name
        if self._links.get(name) and not path.resolve().is_relative_to(self._real):
            raise DataError(
                f"the clip {name} is a link out of {self._path}",
                where=where,
                hint="Put the clip itself there",
            )
        return path
