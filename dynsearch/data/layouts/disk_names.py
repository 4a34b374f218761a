"""Paths as lists of videos write them, found as the disk spells them."""

import functools
import os
from pathlib import PurePosixPath

from dynsearch.data.video_names import VIDEO_ENDINGS, ending_of, names_in
from dynsearch.tables import composed


class DiskNames:
    """Names under some folders, in order of preference, each folder listed once."""

    def __init__(self, *roots: str | os.PathLike[str]) -> None:
        self._roots = roots
        self._names = functools.cache(_names)

    def find(self, text: str) -> str | None:
        r"""Return the path that a list means, as it is on disk; None where there is nothing.

        It may have backslashes, other Unicode forms of letters with accents, no ending, or start at the root with /.
        """
        slashed = text.replace("\\", "/")
        for path in dict.fromkeys(
            (text, slashed, slashed if os.path.lexists(slashed) else slashed.lstrip("/"))
        ):
            for root in self._roots:
                if (found := self._below(os.fspath(root), path)) is not None:
                    return found
        return None

    def _below(self, folder: str, text: str) -> str | None:
        path = PurePosixPath(text)
        if "\0" in text or path.is_absolute() or ".." in path.parts:
            return None
        found: list[str] = []
        for place, part in enumerate(path.parts, start=1):
            names, stems = self._names(os.path.join(folder, *found))
            name = names.get(part) or names.get(composed(part))
            if name is None and place == len(path.parts) and len(stems.get(composed(part), ())) == 1:
                (name,) = stems[composed(part)]
            if name is None:
                return None
            found.append(name)
        return "/".join(found) or None


def _names(folder: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return what there is in a folder by its name and its composed name, and the videos by theirs without ending."""
    listed = sorted(names_in(folder))
    stems: dict[str, list[str]] = {}
    for name in listed:
        if ending_of(name) in VIDEO_ENDINGS:
            stems.setdefault(composed(os.path.splitext(name)[0]), []).append(name)
    return {composed(name): name for name in listed} | {name: name for name in listed}, stems
