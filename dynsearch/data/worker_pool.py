"""Worker processes that may die or hang: each has one item at a time, and a lost one is replaced.

Video decoders can end their process or never return, and no exception or signal handler of Python stops that.
"""

import contextlib
import dataclasses
import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Callable
from multiprocessing import util
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

_TICK_SECONDS = 1.0


@dataclasses.dataclass(frozen=True)
class Lost:
    """What stands for an item's result when its worker was lost.

    Attributes:
        reason: How it was lost, in words that follow the item's name.
        noted: What the worker had noted last; None where nothing.
        is_hang: Whether it was given up because it took too long.
    """

    reason: str
    noted: int | None = None
    is_hang: bool = False


_noted: Any = None  # in a worker: how often something was noted, and what


def note(value: int | None) -> None:
    """Tell the process that watches this one, if one does, what is worked on now; None means nothing that may hang.

    The time limit of an item starts anew, and ``Lost.noted`` says it after the worker was lost.
    """
    if _noted is not None:
        _noted[1] = -1 if value is None else value
        _noted[0] += 1


class _Worker:
    """A process that answers one item at a time."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self.position: int | None = None
        self.waited = 0.0
        self._start()

    def _start(self) -> None:
        self.connection, theirs = multiprocessing.Pipe()
        self._notes = multiprocessing.RawArray("q", (0, -1))
        self._seen_notes = 0
        self._process: BaseProcess = multiprocessing.Process(
            target=_serve, args=(theirs, self._function, os.getpid(), self._notes), daemon=True
        )
        self._process.start()
        theirs.close()
        # Where nobody ends it, Python would at its own end ask it to, in vain.
        util.Finalize(self, self._process.kill, exitpriority=1)

    def give(self, position: int, item: Any) -> None:
        self.position, self.waited = position, 0.0
        self._notes[1] = -1
        # A worker that is gone already is met when its answer is waited for.
        with contextlib.suppress(BrokenPipeError):
            self.connection.send(item)

    def wait(self, elapsed: float) -> None:
        """Count time in which the worker has noted nothing new."""
        count = self._notes[0]
        self.waited = self.waited + elapsed if count == self._seen_notes else 0.0
        self._seen_notes = count

    def take(self) -> Any:
        """Return the answer, or ``Lost`` after replacing a process that died."""
        try:
            is_error, answer = self.connection.recv()
        except (EOFError, OSError):
            self._process.join()
            return self._replaced(f"ended the process that read it ({_cause(self._process.exitcode)})")
        self.position = None
        if is_error:
            raise answer
        return answer

    def give_up(self, seconds: float) -> Lost:
        """Replace the process, which has not answered in time."""
        return self._replaced(f"was not read within {seconds:g} seconds", is_hang=True)

    def _replaced(self, reason: str, *, is_hang: bool = False) -> Lost:
        self.end()
        noted = self._notes[1]
        self.position = None
        self._start()
        return Lost(reason, None if noted < 0 else noted, is_hang)

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.connection.close()


class Pool:
    """Workers, idle or busy with one item each.

    Args:
        function: What they do with an item; sent to them by name.
        count: How many there are.
        seconds: Time limit of an item, or from one ``note`` to the next. Time in which this process does not
            wait for results is not counted.

    Attributes:
        idle: Workers without an item.
        busy: Workers with an item, by the connection on which they answer.
    """

    def __init__(self, function: Callable[[Any], Any], count: int, seconds: float) -> None:
        self._seconds = seconds
        self.idle = [_Worker(function) for _ in range(count)]
        self.busy: dict[Connection, _Worker] = {}

    def give(self, position: int, item: Any) -> None:
        """Give an item to an idle worker."""
        worker = self.idle.pop()
        worker.give(position, item)
        self.busy[worker.connection] = worker

    def has_result(self) -> bool:
        """Whether ``take`` has something to return at once."""
        return bool(wait(list(self.busy), timeout=0))

    def take(self) -> list[tuple[int, Any]]:
        """Wait for results of busy workers, ``Lost`` for lost ones; they are idle then. May return none."""
        started = time.monotonic()
        ready = wait(list(self.busy), timeout=min(_TICK_SECONDS, self._seconds))
        elapsed = min(time.monotonic() - started, 2 * _TICK_SECONDS)
        results: list[tuple[int, Any]] = []
        for connection, worker in list(self.busy.items()):
            worker.wait(elapsed)
            if connection not in ready and worker.waited < self._seconds:
                continue
            del self.busy[connection]
            position = worker.position
            assert position is not None
            results.append(
                (position, worker.take() if connection in ready else worker.give_up(self._seconds))
            )
            self.idle.append(worker)
        return results

    def close(self) -> None:
        """End all workers."""
        for worker in (*self.idle, *self.busy.values()):
            worker.end()


def _serve(connection: Connection, function: Callable[[Any], Any], parent: int, notes: Any) -> None:
    global _noted
    _noted = notes
    # Sent to the whole group, they are for the one it works for.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        # Siblings hold the other end open too, so a parent that was killed is noticed by its number.
        while not connection.poll(2.0):
            if os.getppid() != parent:
                return
        try:
            item = connection.recv()
        except EOFError:
            return
        try:
            answer: tuple[bool, Any] = (False, function(item))
        except Exception as error:
            answer = (True, error)
        try:
            connection.send(answer)
        except RuntimeError:
            # Torch sends tensors through shared memory; where that is full, the pipe will do.
            connection.send_bytes(pickle.dumps(answer))


def _cause(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"signal {signal.Signals(-exit_code).name}"
    return f"exit code {exit_code}"
