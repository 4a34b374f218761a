"""Videos that lie outside their data root, by a path in a list or by a link: refused, unless the user allows it."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from dynsearch.data.records import Annotations
from dynsearch.errors import DataError, named


def check_inside(annotations: Annotations, root: Path, *, allow_outside: bool) -> Annotations:
    """Return the annotations, with a note where videos outside the data root are allowed and there are some.

    Paths and links may lead anywhere inside the root. In layouts of public data sets, a folder may also be a link out
    of it.

    Args:
        annotations: Those of a layout.
        root: The data root.
        allow_outside: Take videos that lie elsewhere.

    Raises:
        DataError: Some do and may not; the first is named.
    """
    real_root = os.path.realpath(root)
    real_of, links_in = functools.cache(os.path.realpath), functools.cache(_links)
    outside: list[str] = []
    for record in annotations.records():
        folder, name = os.path.split(record.path)
        is_link = name in links_in(folder)
        real = os.path.realpath(record.path) if is_link else os.path.join(real_of(folder), name)
        within = [real_root] if annotations.own else [real_root, real_of(folder)]
        if not any(_inside(real, place) for place in within):
            outside.append(f"{named(record.video_id)} ({named(real, 300)})")
    if not outside:
        return annotations
    said = f"videos outside the data root: {len(outside)}, first {outside[0]}"
    if not allow_outside:
        raise DataError(
            said,
            where=str(root),
            hint="Put the files there, or give --allow-outside (run.allow_outside) if you trust the lists and links",
        )
    return annotations.noting(said)


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))


def _links(folder: str) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if entry.is_symlink()}
    except OSError:
        return set()
