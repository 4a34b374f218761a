"""Video files anywhere under a data root, looked up by their names. Names come from annotation files: not trusted."""

import dataclasses
import functools
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dynsearch.data.frame_folder import holds_frames
from dynsearch.data.records import Annotations
from dynsearch.data.video_names import (
    VIDEO_ENDINGS,
    LeftOut,
    ending_of,
    entries_of,
    is_folder,
    is_video,
    names_in,
)
from dynsearch.errors import DataError, named, shown
from dynsearch.tables import composed


def plain_name(video_id: str, *, where: str) -> None:
    """Raise DataError if an id of the annotation file ``where`` is no plain file name, and so may leave the folder."""
    if video_id in ("", ".", "..") or any(mark in video_id for mark in ("/", "\\", "\0")):
        raise DataError(
            f"the video id {shown(video_id)} would leave the folder of videos",
            where=where,
            hint="Ids are plain file names; don't use annotation files that you don't trust",
        )


class VideoFile(NamedTuple):
    """A file, or a folder of frames, by its folder and its name."""

    folder: Path
    name: str

    def path(self) -> Path:
        """Return its path; made when it is wanted, because there may be a quarter of a million."""
        return self.folder / self.name


class VideoTree:
    """The video files under a folder, listed once.

    Args:
        root: The folder. It and folders in it may be links.
        depth: How many folders deep they may lie.
        frame_folders: Whether folders that hold numbered pictures are videos, and all folders at that depth.
        left_out: Counts other files, which are not taken for videos.

    Attributes:
        files: What there is by file name without ending, in the order of the paths.
    """

    def __init__(
        self, root: Path, *, depth: int = 16, frame_folders: bool = False, left_out: LeftOut | None = None
    ) -> None:
        self.root = root
        self.files: dict[str, list[VideoFile]] = defaultdict(list)
        self._frame_folders, self._left_out = frame_folders, left_out
        for file in self._videos(root, depth, ()):
            known = ending_of(file.name) in VIDEO_ENDINGS
            self.files[composed(os.path.splitext(file.name)[0] if known else file.name)].append(file)

    def find(self, name: str, *, where: str, suffix: str = ".mp4", folder: str | None = None) -> Path:
        """Return the file of a video, or the path, with ``suffix``, it could have where there is none.

        Where several files have its name, one in a folder called ``folder`` is preferred.

        Raises:
            DataError: The name, from the annotation file ``where``, would leave the root.
        """
        plain_name(name, where=where)
        files = self.files.get(composed(name), [])
        preferred = [file for file in files if file.folder.name == folder] or files
        return preferred[0].path() if preferred else self.root / (folder or "") / f"{name}{suffix}"

    def _videos(self, folder: Path, depth: int, above: tuple[str, ...]) -> Iterator[VideoFile]:
        """Yield each video, in the order of the paths; a link to one of the folders ``above`` leads nowhere new."""
        real = os.path.realpath(folder)
        if real in above:
            return
        for entry in entries_of(folder):
            inner, path = is_folder(entry), folder / entry.name
            is_frames = inner and self._frame_folders and (depth == 0 or holds_frames(path))
            if is_frames or (not inner and is_video(folder, entry.name)):
                yield VideoFile(folder, entry.name)
            elif inner and depth > 0:
                yield from self._videos(path, depth - 1, (*above, real))
            elif self._left_out:
                self._left_out.add(path)


def without_missing(annotations: Annotations, root: Path, *, may_vanish: bool) -> Annotations:
    """Return annotations whose videos are all there; with ``may_vanish``, missing ones are left out and listed.

    Raises:
        DataError: Videos are missing and may not be, or all of a part are; the first five are named.
    """

    @functools.cache  # Of folders as texts: a data set may have a quarter of a million records.
    def there_in(folder: str) -> set[str]:
        return names_in(folder, lambda entry: not entry.is_symlink() or os.path.exists(entry.path))

    splits = [records for records in annotations.splits().values() if records]
    parts = splits if may_vanish else [[record for records in splits for record in records]]
    missing: dict[str, None] = {}
    for records in parts:
        placed = [(record, *os.path.split(record.path)) for record in records]
        gone = [record.video_id for record, folder, name in placed if name not in there_in(folder)]
        if gone and (not may_vanish or len(gone) == len(records)):
            first = ", ".join(map(named, gone[:5]))
            raise DataError(
                f"{len(gone)} of {len(records)} annotated videos are missing, first {first} "
                f"(looked for ID with any ending of videos, for instance ID{VIDEO_ENDINGS[0]})",
                where=str(root),
            )
        missing |= dict.fromkeys(gone)
    there = annotations.changed(lambda records: [each for each in records if each.video_id not in missing])
    return dataclasses.replace(there, missing=tuple(missing))
