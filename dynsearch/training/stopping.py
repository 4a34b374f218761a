"""Ending on request: training looks between two steps whether it shall save its state and stop.

A batch system that wants its machine back sends SIGTERM and kills, some seconds later, what is still there.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from dynsearch.errors import Stopped

_SECONDS = 8.0
"""After a notice, what has not stopped by itself is ended. Kubernetes and Slurm give 30 seconds."""

_wanted = threading.Event()


def ask_to_stop() -> None:
    """Let what this process trains or scores save its state after the step under way, and raise ``Stopped``."""
    _wanted.set()


def stop_wanted() -> bool:
    """Return whether this process was asked to stop."""
    return _wanted.is_set()


@contextlib.contextmanager
def stopped_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block: training once its step is saved, anything else after 8 seconds.

    Only the main thread can do so; in another one signals are left as they are.

    Raises:
        Stopped: After SIGTERM.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Any] = {
        signal.SIGTERM: signal.signal(signal.SIGTERM, _receive),
        signal.SIGALRM: signal.signal(signal.SIGALRM, _end),
    }
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        _wanted.clear()


def _receive(number: int, frame: FrameType | None) -> None:
    if not stop_wanted():  # Further ones, sent to the process and to its group, say the same.
        ask_to_stop()
        signal.setitimer(signal.ITIMER_REAL, _SECONDS)


def _end(number: int, frame: FrameType | None) -> None:
    raise Stopped
