"""Videos that lie outside their data root, by a path in a list or by a link: refused, unless the user allows it."""

import functools
import os
from pathlib import Path

from dynsearch.data.records import Annotations
from dynsearch.data.video_names import names_in
from dynsearch.errors import DataError, named


def check_inside(annotations: Annotations, root: Path, *, allow_outside: bool) -> Annotations:
    """Return the annotations, with a note where videos outside the data root are allowed and there are some.

    Paths and links may lead anywhere inside the root. In layouts of public data sets, a folder may also be a link out
    of it.

    Raises:
        DataError: Some lie elsewhere and may not; the first is named.
    """
    real_root = os.path.realpath(root)
    real_of = functools.cache(os.path.realpath)
    links_in = functools.cache(functools.partial(names_in, wanted=os.DirEntry.is_symlink))
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
