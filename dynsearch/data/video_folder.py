"""A flat folder of video files, looked up by video id. Ids come from annotation files: not trusted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from dynsearch.data.records import VideoRecord
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


class VideoFolder:
    """The video files directly in one folder, listed once.

    Args:
        path: The folder. It may be a link itself, but no file in it may be a link to somewhere outside.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._real = path.resolve()
        self._files: dict[str, Path] = {}
        with os.scandir(path) as entries:
            # Sorted by ending, so that the file taken for an id does not depend on the listing's order.
            for entry in sorted(entries, key=lambda entry: entry.name, reverse=True):
                stem, suffix = os.path.splitext(entry.name)
                if suffix.lower() in SUFFIXES:
                    self._files[stem] = path / entry.name

    def find(self, video_id: str, *, where: str) -> Path:
        """Return the file of a video, or the path it should have where there is none.

        Args:
            video_id: The id from an annotation file.
            where: That file, for the message.

        Raises:
            DataError: The id is no plain file name, or its file is a link that leaves the folder.
        """
        plain_name(video_id, where=where)
        path = self._files.get(video_id)
        if path is None:
            return self.path / f"{video_id}{SUFFIXES[0]}"
        if path.is_symlink() and not path.resolve().is_relative_to(self._real):
            raise DataError(
                f"the video {path.name} is a link out of {self.path}",
                where=where,
                hint="Put the file itself there",
            )
        return path

    def check_missing(self, records: Sequence[VideoRecord], *, hint: str) -> None:
        """Make sure that every video is there.

        Raises:
            DataError: Some are not; the number and the first five are named.
        """
        missing = [record.path.stem for record in records if record.path.stem not in self._files]
        if missing:
            endings = " or ".join(SUFFIXES)
            raise DataError(
                f"{len(missing)} of {len(records)} annotated videos are missing, first "
                f"{', '.join(map(named, missing[:5]))} (looked for ID{endings})",
                where=str(self.path),
                hint=hint,
            )
