"""The Ray engine: Ray runs the trials, on this machine or a cluster; which trials is the driver's decision."""

from __future__ import annotations

import contextlib
import queue
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dynsearch.errors import DynsearchError
from dynsearch.search.engines.engine import Evaluator, Job, Outcome, Rung, outcome_of
from dynsearch.search.engines.ray_session import start_ray
from dynsearch.search.engines.ray_wires import Wires

if TYPE_CHECKING:
    from dynsearch.training.loop import EpochReport
    from dynsearch.training.progress import StepReport


@dataclass(eq=False)
class RayEngine:
    """Hands jobs to Ray, whose processes are kept from trial to trial, and reads what became of them.

    Ray Tune runs trials of one process. It asks a searcher of our own, which has only what the driver submitted:
    no proposal is trained that the driver refused, and nothing rests on Tune's own record, so that the study is
    the only truth. Trials of several processes are Ray Train's. The study's folder has to be seen under the same
    path by all machines.

    Args:
        evaluator: What evaluates a job.
        num_slots: Jobs at once.
        on_epoch: Called with the job after every epoch.
        address: A running cluster, ``auto`` or HOST:PORT; None starts Ray on this machine.
        gpus_per_trial: GPUs set aside for each job; None means one for each process, where the cluster has any.
        workers_per_trial: Processes that train a job's network together.
        timeout: Seconds that one of them waits for another.
    """

    evaluator: Evaluator
    _: KW_ONLY
    num_slots: int = 1
    on_epoch: Callable[[Job, EpochReport | StepReport], None] | None = None
    address: str | None = None
    gpus_per_trial: float | None = None
    workers_per_trial: int = 1
    timeout: float = 1800.0

    def __post_init__(self) -> None:
        self._wires = Wires()
        self._num_running = 0
        self._thread: threading.Thread | None = None

    def submit(self, job: Job) -> None:
        """Put ``job`` where Ray's thread finds it; Ray is started for the first."""
        if self._thread is None:
            start_ray(self.address, num_cpus=self.num_slots * self.workers_per_trial)
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        self._num_running += 1
        self._wires.jobs.put(replace(job, folder=job.folder.resolve()))

    def _run(self) -> None:
        reason = "Ray ended"
        try:
            with tempfile.TemporaryDirectory(prefix="dynsearch-ray-") as folder:
                self._run_in(Path(folder))
        except Exception as error:  # Handed to the driver's thread.
            reason = f"Ray ended: {' '.join(str(error).split())[:300]}"
        self._wires.events.put(DynsearchError(reason))

    def _run_in(self, folder: Path) -> None:
        from dynsearch.search.engines.ray_train import Crew, run_groups
        from dynsearch.search.engines.ray_tune import run_tune

        if self.workers_per_trial == 1:
            run_tune(
                self.evaluator, self._wires, num_slots=self.num_slots, gpus=self.gpus_per_trial, folder=folder
            )
            return
        gpus = None if self.gpus_per_trial is None else self.gpus_per_trial / self.workers_per_trial
        crew = Crew(self.evaluator, self.workers_per_trial, gpus, self.timeout)
        run_groups(crew, self._wires, num_slots=self.num_slots, folder=folder)

    def collect(self, seconds: float) -> Outcome | Rung | None:
        """Return what became of the next job to end, or its rung; None if there is nothing in ``seconds``."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                event = self._wires.events.get(timeout=max(0.001, deadline - time.monotonic()))
            except queue.Empty:
                return None
            if isinstance(event, DynsearchError):
                raise event
            if isinstance(event, Rung):
                return event
            if isinstance(event, Outcome):
                self._num_running -= 1
                return outcome_of(event.job, event.end, event.error)
            if self.on_epoch:
                self.on_epoch(*event)

    def answer(self, rung: Rung, *, go_on: bool) -> None:
        """Let the job that waits at ``rung`` go on, or stop it. Ray's thread asks for one after the other."""
        self._wires.answers.put(go_on)

    def stop(self) -> None:
        """Ask all jobs to stop after the epoch under way."""
        self._wires.stopping.set()

    def close(self) -> None:
        """End Ray, and with it the jobs under way."""
        if self._thread is None:
            return
        import ray

        self._wires.closing.set()
        if self._num_running == 0:
            self._thread.join(timeout=30)
        with contextlib.suppress(Exception):
            ray.shutdown()
        self._thread = None
