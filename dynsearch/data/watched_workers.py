"""The same function on many items in worker processes that may die or hang: the item is named, the rest goes on.

Video decoders can end their process or never return, and no exception or signal handler of Python stops
that. So each worker has one item at a time, the parent knows which, and a lost worker is replaced.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from dynsearch.data.workers import Progress, available_cores

Item = TypeVar("Item")
Result = TypeVar("Result")

_TICK_SECONDS = 1.0


@dataclasses.dataclass(frozen=True)
class Lost:
    """What stands for an item's result when its worker was lost.

    Attributes:
        reason: How it was lost, in words that follow the item's name.
    """

    reason: str


def map_watched(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    num_workers: int | None = None,
    seconds: float = 300.0,
    progress: Progress | None = None,
) -> Iterator[tuple[int, Result | Lost]]:
    """Yield (position, ``function(item)`` or ``Lost``) for every item, as they are done.

    Args:
        function: A module-level function, because it is sent to the workers by name.
        items: Its arguments.
        num_workers: Worker processes; None means one per core, 0 means this process, unwatched.
        seconds: Time limit of one item. Time in which this process did not run either is not counted.
        progress: Told after every item.

    Raises:
        Exception: Whatever ``function`` raises.
    """
    count = min(available_cores() if num_workers is None else num_workers, len(items))
    if count == 0:
        for position, item in enumerate(items):
            yield position, function(item)
            if progress is not None:
                progress(position + 1, len(items))
        return
    workers = [_Worker(function) for _ in range(count)]
    try:
        for done, (position, result) in enumerate(_results(workers, items, seconds), start=1):
            if progress is not None:
                progress(done, len(items))
            yield position, result
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    """A process that answers one item at a time."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self.position: int | None = None
        self.waited = 0.0
        self._start()

    def _start(self) -> None:
        self.connection, theirs = multiprocessing.Pipe()
        self._process: BaseProcess = multiprocessing.Process(
            target=_serve, args=(theirs, self._function, os.getpid()), daemon=True
        )
        self._process.start()
        theirs.close()

    def give(self, position: int, item: Any) -> None:
        self.position, self.waited = position, 0.0
        # A worker that is gone already is met when its answer is waited for.
        with contextlib.suppress(BrokenPipeError):
            self.connection.send(item)

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
        return self._replaced(f"was not read within {seconds:g} seconds")

    def _replaced(self, reason: str) -> Lost:
        self.end()
        self.position = None
        self._start()
        return Lost(reason)

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.connection.close()


def _results(workers: list[_Worker], items: Sequence[Any], seconds: float) -> Iterator[tuple[int, Any]]:
    waiting = iter(enumerate(items))
    busy: dict[Connection, _Worker] = {}

    def feed(worker: _Worker) -> None:
        following = next(waiting, None)
        if following is not None:
            worker.give(*following)
            busy[worker.connection] = worker

    for worker in workers:
        feed(worker)
    while busy:
        started = time.monotonic()
        ready = wait(list(busy), timeout=min(_TICK_SECONDS, seconds))
        elapsed = min(time.monotonic() - started, 2 * _TICK_SECONDS)
        for connection, worker in list(busy.items()):
            worker.waited += elapsed
            position = worker.position
            assert position is not None
            if connection in ready:
                del busy[connection]
                result = worker.take()
            elif worker.waited >= seconds:
                del busy[connection]
                result = worker.give_up(seconds)
            else:
                continue
            yield position, result
            feed(worker)


def _serve(connection: Connection, function: Callable[[Any], Any], parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
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
        connection.send(answer)


def _cause(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"signal {signal.Signals(-exit_code).name}"
    return f"exit code {exit_code}"
