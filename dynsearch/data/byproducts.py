"""What cameras, file servers and desktops leave beside videos, which is never a video of its own."""

from __future__ import annotations

import os

from dynsearch.errors import DataError

_NAMES = {
    "__macosx", "@eadir", "@synoresource", "@recycle", "@tmp", "#recycle", "#snapshot", "$recycle.bin", "recycler",
    "system volume information", "lost+found", "network trash folder", "temporary items", "__pycache__",
    "thumbs.db", "desktop.ini",
}  # fmt: skip


def is_byproduct(name: str) -> bool:
    """Return whether a file or folder of this name, with all below it, is hidden, a preview, an index or a bin."""
    return name.startswith((".", "~$")) or name.lower() in _NAMES


def entries_of(folder: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    """Return what else there is in a folder, by name.

    Raises:
        DataError: It can't be listed.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(
                (each for each in entries if not is_byproduct(each.name)), key=lambda each: each.name
            )
    except OSError as error:
        raise DataError(f"can't be listed: {error.strerror or error}", where=str(folder)) from error


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder or a link to one; a link to itself, at which ``is_dir`` fails, is none."""
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()
