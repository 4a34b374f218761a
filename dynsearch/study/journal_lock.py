"""The lock of a journal file: let go of by the operating system, and it leaves no torn line behind."""

import fcntl
import os
import shutil
from pathlib import Path

from optuna.storages.journal._file import BaseJournalFileLock


class JournalLock(BaseJournalFileLock):
    """Locks a journal file for one append.

    Optuna's own lock files outlive a killed process (30 seconds' wait), and a line cut off by a kill or a full
    disk makes the journal unreadable once more lines follow. So the lock is the operating system's, and a torn
    last line is taken off before anything is appended; the file as it was is kept as ``<name>.torn``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Wait for the lock."""
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        self._take_off_torn_line(self._handle)
        return True

    def release(self) -> None:
        """Let go of the lock."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _take_off_torn_line(self, handle: int) -> None:
        size = os.fstat(handle).st_size
        if size == 0 or os.pread(handle, 1, size - 1) == b"\n":
            return
        shutil.copyfile(self._path, self._path.with_name(f"{self._path.name}.torn"))
        os.ftruncate(handle, self._path.read_bytes().rfind(b"\n") + 1)
