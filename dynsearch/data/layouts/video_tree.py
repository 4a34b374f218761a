"""Video files anywhere under a data root, looked up by their names. Names come from annotation files: not trusted."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dynsearch.data.byproducts import is_byproduct
from dynsearch.data.records import Annotations
from dynsearch.errors import DataError, named, shown

SUFFIXES = (".webm", ".mp4", ".avi", ".mkv", ".mov")
"""Endings of video files, the first one named for videos that are missing."""


def plain_name(video_id: str, *, where: str) -> None:
    """Make sure that a video id is a plain file name.

    Args:
        video_id: The id from an annotation file.
        where: That file, for the message.

    Raises:
        DataError: It would leave the folder of videos.
    """
    if video_id in ("", ".", "..") or any(mark in video_id for mark in ("/", "\\", "\0")):
        raise DataError(
            f"the video id {shown(video_id)} would leave the folder of videos",
            where=where,
            hint="Ids are plain file names; don't use annotation files that you don't trust",
        )


class VideoFile(NamedTuple):
    """A file, or a folder of frames: its folder, its name, and whether it is a link."""

    folder: Path
    name: str
    is_link: bool

    def path(self) -> Path:
        """Return its path; made when it is wanted, because there may be a quarter of a million."""
        return self.folder / self.name

    def leaves(self) -> bool:
        """Return whether it is a link to somewhere outside its folder."""
        return self.is_link and not self.path().resolve().is_relative_to(self.folder.resolve())


class VideoTree:
    """The video files under a folder, listed once.

    Args:
        root: The folder. It and folders in it may be links, but no file may link out of them.
        depth: How many folders deep they may lie.
        frame_folders: Whether folders at that depth are videos too, with a picture for each frame.

    Attributes:
        files: What there is by file name without ending, in the order of the paths.
    """

    def __init__(self, root: Path, *, depth: int = 4, frame_folders: bool = False) -> None:
        self.root = root
        self.files: dict[str, list[VideoFile]] = defaultdict(list)
        for file in _videos(root, depth, frame_folders):
            stem, suffix = os.path.splitext(file.name)
            self.files[stem if suffix.lower() in SUFFIXES else file.name].append(file)

    def find(self, name: str, *, where: str, suffix: str = ".mp4", folder: str | None = None) -> Path:
        """Return the file of a video, or the path it could have where there is none.

        Args:
            name: Its file name without ending, from an annotation file.
            where: That file, for the message.
            suffix: Ending of the path for a video that is missing.
            folder: Preferred name of the folder it lies in, where several have a file of that name.

        Raises:
            DataError: The name would leave the root, or its file is a link that does.
        """
        plain_name(name, where=where)
        files = self.files.get(name, [])
        preferred = [file for file in files if file.folder.name == folder] or files
        if not preferred:
            return self.root / (folder or "") / f"{name}{suffix}"
        file = preferred[0]
        if file.leaves():
            raise DataError(
                f"the video {file.name} is a link out of {file.folder}",
                where=where,
                hint="Put the file itself there",
            )
        return file.path()


def without_missing(annotations: Annotations, root: Path, *, may_vanish: bool) -> Annotations:
    """Return annotations whose videos are all there.

    Args:
        annotations: Those of a layout.
        root: The data root, for the message.
        may_vanish: Leave missing videos out and list them, as for data sets whose videos vanish from the web.

    Raises:
        DataError: Videos are missing and may not be, or all of a part are; the first five are named.
    """
    names_in = functools.cache(
        _names
    )  # Of folders as texts: a data set may have a quarter of a million records.
    parts = [annotations.train, annotations.test] if may_vanish else [annotations.train + annotations.test]
    missing: dict[str, None] = {}
    for records in parts:
        placed = [(record, *os.path.split(record.path)) for record in records]
        gone = [record.video_id for record, folder, name in placed if name not in names_in(folder)]
        if gone and (not may_vanish or len(gone) == len(records)):
            first = ", ".join(map(named, gone[:5]))
            raise DataError(
                f"{len(gone)} of {len(records)} annotated videos are missing, first {first} "
                f"(looked for ID{' or '.join(SUFFIXES)})",
                where=str(root),
            )
        missing |= dict.fromkeys(gone)
    return dataclasses.replace(
        annotations,
        train=[record for record in annotations.train if record.video_id not in missing],
        test=[record for record in annotations.test if record.video_id not in missing],
        missing=tuple(missing),
    )


def _names(folder: str) -> set[str]:
    """Return what there is in a folder; nothing where there is no folder."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if not entry.is_symlink() or os.path.exists(entry.path)}
    except OSError:
        return set()


def _videos(folder: Path, depth: int, frame_folders: bool) -> Iterator[VideoFile]:
    """Yield each video, in the order of the paths."""
    try:
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
        for entry in entries:
            if is_byproduct(entry.name):
                continue
            if entry.is_dir() and depth > 0:
                yield from _videos(folder / entry.name, depth - 1, frame_folders)
            elif frame_folders if entry.is_dir() else os.path.splitext(entry.name)[1].lower() in SUFFIXES:
                yield VideoFile(folder, entry.name, entry.is_symlink())
    except OSError as error:
        raise DataError(f"can't be listed: {error.strerror or error}", where=str(folder)) from error
