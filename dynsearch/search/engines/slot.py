"""The driver's side of one worker process."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from dynsearch.errors import InputError
from dynsearch.search.engines.engine import End, Evaluator, Job
from dynsearch.search.engines.faults import describe_death, oom_kills
from dynsearch.search.engines.worker import STOP, Ended, Waiting, serve
from dynsearch.training.launcher import rank_environment

if TYPE_CHECKING:
    from dynsearch.training.loop import EpochReport

_GRACE_SECONDS = 10.0
"""How long processes that train together may take to end, after one has."""
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["dynsearch.search.evaluator", "torch._dynamo"])  # which optimizers load


def warm_up() -> None:
    """Let a process import torch in the background; workers are then forked from it in milliseconds.

    Ctrl-C, and a batch system's SIGTERM to the whole group, pass it by, also while it imports, as they do its workers:
    their end is the driver's matter.
    """
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # as in launcher.prepare_rank
    resource_tracker.ensure_running()  # If the next call started it, that would let signals through again.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass(eq=False)
class Slot:
    """Room for one job at a time: worker processes that are kept from job to job, and replaced when one dies.

    Attributes:
        evaluator: What evaluates a job.
        environment: Changes of the processes' environment.
        num_threads: Torch's threads in each, and where no other job is under way; None leaves them.
        count: Processes that train a job's network together.
        timeout: Seconds that one of them waits for another.
        job: What is under way.
    """

    evaluator: Evaluator
    environment: Mapping[str, str]
    num_threads: tuple[int, int] | None
    count: int
    timeout: float
    job: Job | None = None
    _members: list[tuple[BaseProcess, Connection]] = field(default_factory=list)
    _ended: dict[int, Ended | InputError] = field(default_factory=dict)

    def give(self, job: Job) -> None:
        """Start ``job``; processes are started for it if there are none."""
        if not self._members:
            self._start()
        self.job = job
        self._ended, self._until = {}, math.inf
        self._oom_kills = oom_kills()
        self._send(job)

    def _start(self) -> None:
        warm_up()
        self._meeting = tempfile.TemporaryDirectory(prefix="dynsearch-")
        for rank in range(self.count):
            own = rank_environment(rank, self.count, self._meeting.name) if self.count > 1 else {}
            connection, theirs = _CONTEXT.Pipe()
            settings = ({**self.environment, **own}, self.num_threads, self.timeout)
            process = _CONTEXT.Process(target=serve, args=(theirs, *settings))
            process.start()
            theirs.close()
            self._members.append((process, connection))
        self._send(self.evaluator)

    def stop(self) -> None:
        """Ask the job to stop as soon as what it has done is saved."""
        if self.job is not None:
            self._send(STOP)

    def answer(self, *, go_on: bool) -> None:
        """Answer a job that waits; the first process asked."""
        self._send(go_on, self._members[:1])

    def _send(self, message: object, to: Sequence[tuple[BaseProcess, Connection]] = ()) -> None:
        for _, connection in to or self._members:
            # A worker that is gone already is met when its answer is taken.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.send(message)

    @property
    def signs(self) -> list[Connection | int]:
        """What becomes ready when a worker that has not ended the job has something to say, or dies."""
        going = [one for rank, one in enumerate(self._members) if rank not in self._ended]
        return [sign for process, connection in going for sign in (connection, process.sentinel)]

    def take(self) -> EpochReport | InputError | Ended | Waiting | None:
        """Return the next word on the job, if there is one: a report, a question, or how it ended for all."""
        for rank, (process, connection) in enumerate(self._members):
            if rank in self._ended:
                continue
            try:
                if connection.poll():
                    message = connection.recv()
                elif process.is_alive():
                    continue
                else:
                    raise EOFError
            except (EOFError, OSError):
                process.join()
                killed_for_memory = oom_kills() > self._oom_kills
                self._ended[rank] = Ended(*describe_death(process.exitcode, out_of_memory=killed_for_memory))
                return self._end(self._ended[rank])
            if not isinstance(message, Ended | InputError):
                return message
            self._ended[rank] = message
        if len(self._ended) == len(self._members):
            return self._end(max(self._ended.values(), key=_gravity))
        if any(map(_gravity, self._ended.values())):
            worst = max(self._ended.values(), key=_gravity)
            self._until = min(self._until, time.monotonic() + _GRACE_SECONDS)
            # Others wait in vain for one that failed; one that lost another knows less than that one says. What the
            # first has stopped is saved; what the others have, not yet.
            first_has_stopped = _gravity(self._ended.get(0, Ended(End.DONE))) == 1
            if _gravity(worst) > 2 or first_has_stopped or time.monotonic() > self._until:
                return self._end(worst)
        return None

    def _end(self, how: Ended | InputError) -> Ended | InputError:
        self.job = None
        if _gravity(how):  # The next job starts with clean processes, and all their memory.
            self.close()
        return how

    def close(self) -> None:
        """End the workers at once."""
        for process, _ in self._members:
            process.kill()
        for process, connection in self._members:
            process.join()
            connection.close()
        if self._members:
            self._meeting.cleanup()
        self._members = []


def _gravity(ended: Ended | InputError) -> int:
    """Return how much a process's end says of its job: 0 done, 1 stopped, 2 lost another, 3 failed."""
    if isinstance(ended, InputError):
        return 3
    return {End.DONE: 0, End.STOPPED: 1, End.DIED: 2}.get(ended.end, 3)
