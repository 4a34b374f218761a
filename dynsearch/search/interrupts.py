"""Ctrl-C, and a batch system's notice to end, met between two steps instead of in the middle of one."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from dynsearch.errors import Stopped


class Interrupts:
    """Whether this process was asked to end.

    Attributes:
        received: The first signal, SIGINT or SIGTERM; None while there was none.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = self.received or number
        before = self._before.get(number)
        if number == signal.SIGTERM and callable(before):
            before(number, frame)  # It sees to it that the end is not waited for too long.

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Note the first signal during the block; a Ctrl-C after it raises KeyboardInterrupt at once.

        Only the main thread can do so; in another one signals are left as they are.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._before = {
            number: signal.signal(number, self._receive) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in self._before.items():
                signal.signal(number, handler)

    def end(self) -> None:
        """End as the signal wants it: by KeyboardInterrupt after Ctrl-C, by Stopped after SIGTERM."""
        if self.received == signal.SIGINT:
            raise KeyboardInterrupt
        if self.received is not None:
            raise Stopped
