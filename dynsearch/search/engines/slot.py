"""The driver's side of one worker process."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Mapping
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from dynsearch.errors import InputError
from dynsearch.search.engines.engine import End, Evaluator, Job
from dynsearch.search.engines.faults import describe_death, oom_kills
from dynsearch.search.engines.worker import STOP, Ended, Waiting, serve

if TYPE_CHECKING:
    from dynsearch.training.loop import EpochReport

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["dynsearch.search.evaluator"])


def warm_up() -> None:
    """Let a process import torch in the background; workers are then forked from it in milliseconds.

    Ctrl-C, and a batch system's SIGTERM to the whole group, pass it by, also while it imports, as they do its workers:
    their end is the driver's matter.
    """
    resource_tracker.ensure_running()  # If the next call started it, that would let signals through again.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Slot:
    """Room for one job at a time: a worker process that is kept from job to job, and replaced when it dies.

    ``environment`` are changes of its environment, ``num_threads`` torch's threads in it; None leaves them.
    """

    def __init__(
        self, evaluator: Evaluator, environment: Mapping[str, str], num_threads: int | None = None
    ) -> None:
        self.job: Job | None = None
        self._evaluator = evaluator
        self._settings = (environment, num_threads)
        self._process: BaseProcess | None = None
        self._connection: Connection
        self._oom_kills = 0

    def give(self, job: Job) -> None:
        """Start ``job``; a process is started for it if there is none."""
        if self._process is None:
            warm_up()
            self._connection, theirs = _CONTEXT.Pipe()
            self._process = _CONTEXT.Process(target=serve, args=(theirs, *self._settings))
            self._process.start()
            theirs.close()
            self._send(self._evaluator)
        self.job = job
        self._oom_kills = oom_kills()
        self._send(job)

    def stop(self) -> None:
        """Ask the job to stop as soon as what it has done is saved."""
        if self.job is not None:
            self._send(STOP)

    def answer(self, *, go_on: bool) -> None:
        """Answer a job that waits."""
        self._send(go_on)

    def _send(self, message: object) -> None:
        # A worker that is gone already is met when its answer is taken.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._connection.send(message)

    @property
    def signs(self) -> list[Connection | int]:
        """What becomes ready when the worker has something to say, or dies."""
        assert self._process is not None
        return [self._connection, self._process.sentinel]

    def take(self) -> EpochReport | InputError | Ended | Waiting:
        """Return the worker's next word, to be called when a sign is ready."""
        assert self._process is not None
        message: EpochReport | InputError | Ended | Waiting
        try:
            if not self._connection.poll():
                raise EOFError
            message = self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            killed_for_memory = oom_kills() > self._oom_kills
            message = Ended(*describe_death(self._process.exitcode, out_of_memory=killed_for_memory))
        if isinstance(message, Ended):
            self.job = None
            if message.end is not End.DONE:  # The next job starts with a clean process, and all its memory.
                self.close()
        return message

    def close(self) -> None:
        """End the worker at once."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
            self._process = None
