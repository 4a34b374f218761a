"""The Ray engine: Ray Tune runs the trials, on this machine or a cluster; which trials is the driver's decision."""

from __future__ import annotations

import contextlib
import os
import queue
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dynsearch.errors import DynsearchError, InputError
from dynsearch.search.engines.engine import End, Evaluator, Job, Outcome, Rung
from dynsearch.search.engines.ray_session import start_ray

if TYPE_CHECKING:
    from dynsearch.training.loop import EpochReport
    from dynsearch.training.progress import StepReport

Event = Outcome | Rung | InputError | tuple[Job, "EpochReport"] | DynsearchError
"""What Tune's thread tells the driver's: an outcome, a user's mistake, a finished epoch, or the end of Tune."""


class RayEngine:
    """Hands jobs to Ray Tune, whose actors are kept from trial to trial, and reads what became of them.

    Tune asks a searcher of our own, which has only what the driver submitted. So no proposal is trained that
    the driver refused, and nothing rests on Tune's own record: the study is the only truth. The study's folder
    has to be seen under the same path by all machines.

    Args:
        evaluator: What evaluates a job.
        num_slots: Jobs at once.
        on_epoch: Called with the job after every epoch.
        address: A running cluster, ``auto`` or HOST:PORT; None starts Ray on this machine.
        gpus_per_trial: GPUs that Ray sets aside for each job; None means one where the cluster has any.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        *,
        num_slots: int = 1,
        on_epoch: Callable[[Job, EpochReport | StepReport], None] | None = None,
        address: str | None = None,
        gpus_per_trial: float | None = None,
    ) -> None:
        self.num_slots = num_slots
        self._on_epoch = on_epoch
        self._evaluator = evaluator
        self._address = address
        self._gpus = gpus_per_trial
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._num_running = 0
        self._answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def submit(self, job: Job) -> None:
        """Put ``job`` where Tune finds it; Ray is started for the first."""
        if self._thread is None:
            start_ray(self._address, num_cpus=max(1, self.num_slots))
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        self._num_running += 1
        self._jobs.put(replace(job, folder=job.folder.resolve()))

    def _run(self) -> None:
        from dynsearch.search.engines.ray_tune import run_tune

        reason = "Ray Tune ended"
        try:
            with tempfile.TemporaryDirectory(prefix="dynsearch-tune-") as folder:
                run_tune(
                    self._evaluator,
                    self._jobs,
                    self._events,
                    self._answers,
                    num_slots=self.num_slots,
                    gpus=self._gpus,
                    folder=Path(folder),
                    stopping=self._stopping,
                    closing=self._closing,
                )
        except Exception as error:  # Handed to the driver's thread.
            reason = f"Ray Tune ended: {' '.join(str(error).split())[:300]}"
        self._events.put(DynsearchError(reason))

    def collect(self, seconds: float) -> Outcome | Rung | None:
        """Return what became of the next job to end, or its rung; None if there is nothing in ``seconds``."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                event = self._events.get(timeout=max(0.001, deadline - time.monotonic()))
            except queue.Empty:
                return None
            if isinstance(event, DynsearchError):
                raise event
            if isinstance(event, Rung):
                return event
            if isinstance(event, Outcome):
                self._num_running -= 1
                return _with_scores(event)
            if self._on_epoch:
                self._on_epoch(*event)

    def answer(self, rung: Rung, *, go_on: bool) -> None:
        """Let the job that waits at ``rung`` go on, or stop it. Tune asks for one after the other."""
        self._answers.put(go_on)

    def stop(self) -> None:
        """Ask all jobs to stop after the epoch under way."""
        self._stopping.set()

    def close(self) -> None:
        """End Tune, and with it the jobs under way."""
        if self._thread is None:
            return
        import ray

        self._closing.set()
        if self._num_running == 0:
            self._thread.join(timeout=30)
        with contextlib.suppress(Exception):
            ray.shutdown()
        self._thread = None


def _with_scores(outcome: Outcome) -> Outcome:
    from dynsearch.training.run import read_scores

    if outcome.end is not End.DONE:
        return outcome
    scores = read_scores(outcome.job.folder, outcome.job.plan)
    if scores is None:
        where = f"{outcome.job.folder} as {os.uname().nodename} sees it"
        return Outcome(outcome.job, End.FAILED, error=f"its exit scores are missing in {where}")
    return Outcome(outcome.job, End.DONE, scores)
