"""Which files are videos: by their names and, where a name does not tell, by their first bytes."""

import codecs
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from dynsearch.data.video_files import starts_like_video
from dynsearch.errors import DataError, named

VIDEO_ENDINGS = (
    ".mp4", ".webm", ".avi", ".mkv", ".mov", ".m4v", ".qt", ".3gp", ".3g2", ".divx", ".ts", ".mts", ".m2ts", ".m2t",
    ".mpg", ".mpeg", ".mpe", ".m2v", ".vob", ".flv", ".f4v", ".ogv", ".ogg",
)  # fmt: skip
"""What videos are called that we read, in small or capital letters."""

_NOT_READ = (".wmv", ".asf", ".rm", ".rmvb", ".mxf", ".dv", ".swf", ".gif", ".webp")


_BYPRODUCTS = {
    "__macosx", "@eadir", "@synoresource", "@recycle", "@tmp", "#recycle", "#snapshot", "$recycle.bin", "recycler",
    "system volume information", "lost+found", "network trash folder", "temporary items", "__pycache__",
    "thumbs.db", "desktop.ini",
}  # fmt: skip
"""What cameras, file servers and desktops leave beside videos, which is never a video of its own."""


def is_byproduct(name: str) -> bool:
    """Return whether a file or folder of this name, with all below it, is hidden, a preview, an index or a bin."""
    return name.startswith((".", "~$")) or name.lower() in _BYPRODUCTS


def entries_of(folder: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    """Return what else there is in a folder, by name; DataError where it can't be listed."""
    try:
        with os.scandir(folder) as entries:
            return sorted(
                (each for each in entries if not is_byproduct(each.name)), key=lambda each: each.name
            )
    except OSError as error:
        raise DataError(f"can't be listed: {error.strerror or error}", where=str(folder)) from error


def names_in(folder: str, wanted: Callable[[os.DirEntry[str]], bool] = lambda entry: True) -> set[str]:
    """Return what there is in a folder; nothing where there is no folder."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if wanted(entry)}
    except OSError:
        return set()


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder or a link to one; a link to itself, at which ``is_dir`` fails, is none."""
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def ending_of(name: str) -> str:
    """Return the ending of a file's name in small letters, with its dot; empty where it has none."""
    return os.path.splitext(name)[1].lower()


def is_video(folder: str | os.PathLike[str], name: str) -> bool:
    """Return whether a file is taken for a video.

    Its ending says so. Files without one are videos if they start like one; ``.ts`` may be text, ``.ogg`` sound.
    """
    ending = ending_of(name)
    if is_byproduct(name):
        return False
    if ending not in ("", ".ts", ".ogg"):
        return ending in VIDEO_ENDINGS
    head = _head(os.path.join(folder, name))
    if head is None or not head:
        return bool(ending)  # What is wrong with it is said when it is read.
    if ending == ".ts":
        return not _is_text(head)
    return starts_like_video(head) and (not head.startswith(b"OggS") or b"theora" in head)


class LeftOut:
    """Files under a data root that are not taken for videos, counted by their endings.

    Args:
        root: The data root, which they are named from.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._counts: Counter[str] = Counter()
        self._first: list[Path] = []
        self._one_of_each: dict[str, Path] = {}

    def add(self, path: Path) -> None:
        """Count a file, or a folder that was not looked into."""
        ending = ending_of(path.name) or "without ending"
        self._counts[ending] += 1
        self._one_of_each.setdefault(ending, path)
        if len(self._first) < 5:
            self._first.append(path)

    def notes(self) -> tuple[str, ...]:
        """Return what is said of them: counts by ending, first names, and which start like videos nevertheless."""
        if not self._counts:
            return ()
        kinds = ", ".join(f"{count} {ending}" for ending, count in self._counts.most_common(10))
        more = ", ..." if len(self._counts) > 10 else ""
        first = ", ".join(named(path.relative_to(self._root).as_posix()) for path in self._first)
        text = f"left out, as no videos by their names: {kinds}{more}; first {first}"
        alike = [
            ending for ending, path in self._one_of_each.items() if starts_like_video(_head(path) or b"")
        ]
        if alike:
            text += f". {', '.join(alike)}: they start like videos, so give them their right ending"
        if foreign := [ending for ending in self._counts if ending in _NOT_READ]:
            text += f". {', '.join(foreign)}: convert them to MP4 to have them read"
        return (text,)


def _head(path: str | os.PathLike[str]) -> bytes | None:
    """Return the first bytes of a regular file; None where it can't be read."""
    try:
        if not os.path.isfile(path):
            return None
        with open(path, "rb") as file:
            return file.read(512)
    except OSError:
        return None


def _is_text(head: bytes) -> bool:
    try:
        return "\0" not in codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
