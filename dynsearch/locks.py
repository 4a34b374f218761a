"""A lock between processes, so that what is made once is not made twice at the same time."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
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
    with _opened(path) as file:
        _lock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def shared_lock(path: Path) -> Iterator[Callable[[], AbstractContextManager[bool]]]:
    """Hold the lock file at ``path`` beside others that share it.

    Yields:
        A block that yields whether nobody else holds it; if so, others wait until that block ends.

    Raises:
        DynsearchError: The lock file can't be made.
    """
    with _opened(path) as file:
        _lock(file, fcntl.LOCK_SH)

        @contextlib.contextmanager
        def alone() -> Iterator[bool]:
            try:
                yield _lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            finally:
                _lock(file, fcntl.LOCK_SH)

        yield alone


def _opened(path: Path) -> BinaryIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab")
    except OSError as error:
        raise DynsearchError(
            f"can't be written to: {error.strerror or error}",
            where=str(path.parent),
            hint="Check permissions, or set DYNSEARCH_HOME to another folder",
        ) from error


def mark_in_use(path: Path) -> BinaryIO | None:
    """Return the opened file at ``path``, which :func:`is_in_use` until that is closed; None where there is none."""
    try:
        file = path.open("rb")
    except OSError:
        return None
    _lock(file, fcntl.LOCK_SH)
    return file


def is_in_use(path: Path) -> bool:
    """Return whether any process holds a lock on the file at ``path``; False where the file system has no locks."""
    try:
        with path.open("r+b" if os.access(path, os.W_OK) else "rb") as file:
            return not _lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False


def _lock(file: BinaryIO, how: int) -> bool:
    """Lock a file; return False where another process has it."""
    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        return False
    except OSError:  # Some file systems have no locks.
        pass
    return True
