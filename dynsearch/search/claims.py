"""Which driver has which trial, where several drivers share a study."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from dynsearch.locks import held_lock


class Claims:
    """A driver's claims on trials: byte n of a file in the study's folder is locked by the driver that has trial n.

    The operating system takes the locks back when a driver ends in any way, so a trial that is RUNNING in the
    record and claimed by nobody is an orphan. These locks also work on network file systems that have any.

    Attributes:
        held: The trials this driver has.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.held: set[int] = set()
        self._turn = folder / ".turn.lock"
        self._handle = os.open(folder / ".claims", os.O_RDWR | os.O_CREAT, 0o644)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for this driver's turn to propose; what others proposed is in the record by then."""
        with held_lock(self._turn):
            yield

    def take(self, number: int) -> bool:
        """Claim trial ``number``; return False if another driver has it."""
        try:
            fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except BlockingIOError:
            return False
        self.held.add(number)
        return True

    def release(self, number: int) -> None:
        """Give the claim back."""
        self.held.discard(number)
        fcntl.lockf(self._handle, fcntl.LOCK_UN, 1, number)

    def close(self) -> None:
        """Give all claims back."""
        os.close(self._handle)
