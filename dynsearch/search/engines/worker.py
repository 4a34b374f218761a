"""The inside of a worker process: it evaluates one job after the other and dies with its driver."""

from __future__ import annotations

import contextlib
import fcntl
import os
import queue
import signal
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynsearch.errors import InputError, Stopped
from dynsearch.files import remove_torn
from dynsearch.search.engines.engine import End, Evaluator, Job, Monitor
from dynsearch.search.engines.faults import describe
from dynsearch.training.ranks import ALONE, joined_ranks
from dynsearch.training.stopping import ask_to_stop

if TYPE_CHECKING:
    from dynsearch.training.loop import EpochReport
    from dynsearch.training.progress import StepReport

STOP = "stop"


@dataclass(frozen=True)
class Ended:
    """A worker's last word on a job."""

    end: End
    error: str | None = None


@dataclass(frozen=True)
class Waiting:
    """A worker's question whether its job goes on, to be answered with a bool."""

    epoch: int
    top1: float


def serve(
    connection: Connection,
    environment: Mapping[str, str],
    num_threads: tuple[int, int] | None,
    timeout: float,
) -> None:
    """Take an evaluator and then jobs from ``connection`` until the driver is gone.

    Sends an ``EpochReport`` after every epoch, a ``StepReport`` a few times a second, and for every job ``Ended``
    or the user's ``InputError``; of several processes that train together the first sends reports. See :class:`Slot`
    for the rest.
    """
    # Ctrl-C and batch systems signal every process of a group; what happens then is the driver's decision.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.environ.update(environment)
    from tqdm import tqdm

    # torch.fx's progress bar would make a semaphore, which a killed process leaves behind and Python complains of.
    tqdm.set_lock(threading.RLock())
    desk = _Desk(connection)
    evaluator: Evaluator = desk.next()
    try:
        with joined_ranks(timeout) as desk.ranks:
            while True:
                job: Job = desk.next()
                if num_threads is not None:
                    import torch

                    torch.set_num_threads(num_threads[job.alone])
                desk.send(evaluate(evaluator, job, desk, locks=desk.ranks.is_first))
    except InputError as error:  # There is no GPU for this one.
        desk.send(error)


class _Desk:
    """The worker's end of the connection, read by a thread so that a dead driver is noticed at once."""

    def __init__(self, connection: Connection) -> None:
        self.ranks = ALONE
        self._connection = connection
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._stop = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while True:
                message = self._connection.recv()
                if message == STOP:
                    self._stop.set()
                    ask_to_stop()
                else:
                    self._inbox.put(message)
        except (EOFError, OSError):
            pass
        finally:
            # The driver is gone. A new one may take this trial up at any moment.
            os._exit(1)

    def next(self) -> Any:
        return self._inbox.get()

    def send(self, message: object) -> None:
        self._connection.send(message)

    def rung(self, epoch: int, top1: float) -> None:
        if not self.ranks.from_first(lambda: self._ask(Waiting(epoch, top1))):
            raise Stopped

    def _ask(self, question: Waiting) -> bool:
        self.send(question)
        return bool(self.next())

    def epoch(self, report: EpochReport) -> None:
        if self.ranks.is_first:
            self.send(report)
        if self.ranks.any(self._stop.is_set()):
            raise Stopped

    def step(self, report: StepReport) -> None:
        self.send(report)


def evaluate(evaluator: Evaluator, job: Job, monitor: Monitor, *, locks: bool = True) -> Ended | InputError:
    """Evaluate ``job`` while no other process does, and return how it ended, or the user's mistake.

    ``locks`` is whether this process keeps others away; of several that train together the first does.
    """
    try:
        with _alone_in(job.folder) if locks else contextlib.nullcontext():
            evaluator(job, monitor)
    except Stopped:
        return Ended(End.STOPPED)
    except InputError as error:
        return error
    except Exception as error:  # Whatever breaks one trial must not end the study.
        return Ended(*describe(error))
    return Ended(End.DONE)


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process has the trial's folder, for instance a paused worker of a dead driver.

    Files that a killed one was writing are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # Some network file systems have no locks.
            fcntl.flock(handle, fcntl.LOCK_EX)
            remove_torn(folder)
        yield
    finally:
        os.close(handle)
