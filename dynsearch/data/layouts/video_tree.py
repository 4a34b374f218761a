"""Video files anywhere under a data root, looked up by their names. Names come from annotation files: not trusted."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections import defaultdict
from pathlib import Path

from dynsearch.data.records import Annotations, VideoRecord
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


class VideoTree:
    """The video files under a folder, listed once.

    Args:
        root: The folder. It and folders in it may be links, but no file may link out of them.
        depth: How many folders deep they may lie.
        frame_folders: Whether folders at that depth are videos too, with a picture for each frame.

    Attributes:
        files: Paths by file name without ending, sorted.
    """

    def __init__(self, root: Path, *, depth: int = 4, frame_folders: bool = False) -> None:
        self.root = root
        self.files: dict[str, list[Path]] = defaultdict(list)
        for path in sorted(_videos(root, depth, frame_folders)):
            self.files[path.stem if path.suffix.lower() in SUFFIXES else path.name].append(path)

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
        paths = self.files.get(name, [])
        preferred = [path for path in paths if path.parent.name == folder] or paths
        if not preferred:
            return self.root / (folder or "") / f"{name}{suffix}"
        path = preferred[0]
        if path.is_symlink() and not path.resolve().is_relative_to(path.parent.resolve()):
            raise DataError(
                f"the video {path.name} is a link out of {path.parent}",
                where=where,
                hint="Put the file itself there",
            )
        return path


def without_missing(annotations: Annotations, root: Path, *, may_vanish: bool) -> Annotations:
    """Return annotations whose videos are all there.

    Args:
        annotations: Those of a layout.
        root: The data root, for the message.
        may_vanish: Leave missing videos out and list them, as for data sets whose videos vanish from the web.

    Raises:
        DataError: Videos are missing and may not be, or all of a part are; the first five are named.
    """
    names_in = functools.cache(_names)
    parts = [annotations.train, annotations.test] if may_vanish else [annotations.train + annotations.test]
    missing: dict[VideoRecord, None] = {}
    for records in parts:
        gone = [record for record in records if record.path.name not in names_in(record.path.parent)]
        if gone and (not may_vanish or len(gone) == len(records)):
            first = ", ".join(named(record.video_id) for record in gone[:5])
            raise DataError(
                f"{len(gone)} of {len(records)} annotated videos are missing, first {first} "
                f"(looked for ID{' or '.join(SUFFIXES)})",
                where=str(root),
            )
        missing |= dict.fromkeys(gone)
    return dataclasses.replace(
        annotations,
        train=[record for record in annotations.train if record not in missing],
        test=[record for record in annotations.test if record not in missing],
        missing=tuple(record.video_id for record in missing),
    )


def _names(folder: Path) -> set[str]:
    """Return what there is in a folder; nothing where there is no folder."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if not entry.is_symlink() or os.path.exists(entry.path)}
    except OSError:
        return set()


def _videos(folder: Path, depth: int, frame_folders: bool) -> list[Path]:
    found: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir() and depth > 0:
                    found += _videos(folder / entry.name, depth - 1, frame_folders)
                elif frame_folders if entry.is_dir() else os.path.splitext(entry.name)[1].lower() in SUFFIXES:
                    found.append(folder / entry.name)
    except OSError as error:
        raise DataError(f"can't be listed: {error.strerror or error}", where=str(folder)) from error
    return found
