"""Video files anywhere under a data root, looked up by their names. Names come from annotation files: not trusted."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from dynsearch.data.records import Annotations, VideoRecord
from dynsearch.data.video_folder import SUFFIXES, plain_name
from dynsearch.errors import DataError, named

_MAX_DEPTH = 4


class VideoTree:
    """The video files under a folder, up to four folders deep, listed once.

    Args:
        root: The folder. It and folders in it may be links, but no file may link out of them.

    Attributes:
        files: Paths by file name without ending, sorted.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[str, list[Path]] = defaultdict(list)
        self._found: set[Path] = set()
        for path in sorted(_video_files(root, _MAX_DEPTH)):
            self.files[path.stem].append(path)
            self._found.add(path)

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

    def exists(self, path: Path) -> bool:
        """Tell whether ``path`` is one of the files."""
        return path in self._found


def located(
    tree: VideoTree,
    class_names: tuple[str, ...],
    parts: Mapping[str, Sequence[VideoRecord]],
    *,
    how_to_get: str,
    allow_missing: bool,
) -> Annotations:
    """Return annotations whose videos are in ``tree``; the others are left out and listed.

    Args:
        tree: The videos that are there.
        class_names: K names.
        parts: The records of ``train`` and ``test``.
        how_to_get: What to download, for the message.
        allow_missing: Return annotated videos without a file too.

    Raises:
        DataError: All videos of a part are missing.
    """
    missing: list[VideoRecord] = []
    kept = {part: list(records) for part, records in parts.items()}
    if not allow_missing:
        for part, records in parts.items():
            gone = [record for record in records if not tree.exists(record.path)]
            kept[part] = without_missing(records, gone, root=tree.root, how_to_get=how_to_get, skip=True)
            missing += gone
    return Annotations(
        class_names=class_names,
        train=kept["train"],
        test=kept["test"],
        missing=tuple(record.video_id for record in missing),
    )


def without_missing(
    records: Sequence[VideoRecord], missing: Sequence[VideoRecord], *, root: Path, how_to_get: str, skip: bool
) -> list[VideoRecord]:
    """Return the records whose videos are there.

    Args:
        records: All annotated videos.
        missing: Those without a file.
        root: The data root, for the message.
        how_to_get: What to download, for the message.
        skip: Leave missing ones out, as for data sets whose videos vanish from the web.

    Raises:
        DataError: Some are missing and may not be, or all are; the first five are named.
    """
    if missing and (not skip or len(missing) == len(records)):
        first = ", ".join(named(record.video_id) for record in missing[:5])
        raise DataError(
            f"{len(missing)} of {len(records)} annotated videos are missing, first {first} "
            f"(looked for ID{' or '.join(SUFFIXES)})",
            where=str(root),
            hint=how_to_get,
        )
    gone = {record.video_id for record in missing}
    return [record for record in records if record.video_id not in gone]


def _video_files(folder: Path, depth: int) -> list[Path]:
    found: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    found += _video_files(folder / entry.name, depth - 1) if depth > 0 else []
                elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:
                    found.append(folder / entry.name)
    except OSError as error:
        raise DataError(f"can't be listed: {error.strerror or error}", where=str(folder)) from error
    return found
