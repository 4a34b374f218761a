"""A lock between processes, so that what is made once is not made twice at the same time."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dynsearch.errors import DynsearchError


@contextlib.contextmanager
def held_lock(path: Path) -> Iterator[None]:
    """Hold the lock file at ``path`` during the block, waiting for another process that holds it.

    The operating system lets go of it when its process ends in any way. Where the file system has no
    locks the block runs without; what it makes must still be renamed into place.

    Raises:
        DynsearchError: The lock file can't be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("ab")
    except OSError as error:
        raise DynsearchError(
            f"can't be written to: {error.strerror or error}",
            where=str(path.parent),
            hint="Check permissions, or set DYNSEARCH_HOME to another folder",
        ) from error
    with lock as file:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def mark_in_use(path: Path) -> BinaryIO | None:
    """Return the opened file at ``path``, which :func:`is_in_use` until that is closed; None where there is none."""
    try:
        file = path.open("rb")
    except OSError:
        return None
    with contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_SH)
    return file


def is_in_use(path: Path) -> bool:
    """Return whether any process holds a lock on the file at ``path``; False where the file system has no locks."""
    try:
        with path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
