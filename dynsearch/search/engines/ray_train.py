"""Trials that several processes train together: groups of Ray Train's workers that are kept from trial to trial.

A run of ``TorchTrainer`` takes many seconds to begin and to end. So its training function takes one job after the
other, and a run ends only with a fault: the next job then has new processes, as on every engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer
from ray.train.v2.api.config import FailureConfig  # mypy sees the first version's under ray.train
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from dynsearch.errors import InputError, Stopped
from dynsearch.search.engines.engine import End, Evaluator, Job, Outcome, Rung
from dynsearch.search.engines.ray_wires import Wires
from dynsearch.search.engines.worker import Ended, Waiting, evaluate
from dynsearch.training.loop import EpochReport
from dynsearch.training.progress import StepReport
from dynsearch.training.ranks import Ranks

_TICK_SECONDS = 0.2
_END_SECONDS = 20.0
"""How long a run is waited for: one whose thread outlives Ray's own end would take this process with it."""


@dataclass(frozen=True)
class Crew:
    """What a group consists of: ``workers`` processes that train together, to which the evaluator is sent once.

    ``gpus`` of each; None means one where the cluster has any. ``timeout`` is the seconds that one waits for another.
    """

    evaluator: Evaluator
    workers: int
    gpus: float | None
    timeout: float


def run_groups(crew: Crew, wires: Wires, *, num_slots: int, folder: Path) -> None:
    """Run jobs, each by one of ``num_slots`` groups of processes, until the wires are closed.

    ``folder`` is where Ray Train keeps its own record, which nobody reads.
    """
    groups = [_Group(crew, folder / str(index)) for index in range(num_slots)]
    while not wires.closing.is_set():
        for group in groups:
            if group.job is None:
                with contextlib.suppress(queue.Empty):
                    group.give(wires.jobs.get_nowait())
            elif wires.stopping.is_set():
                group.stop()
        signs = [group.sign for group in groups if group.job is not None]
        if signs:
            ray.wait(signs, timeout=_TICK_SECONDS)
        else:
            wires.closing.wait(_TICK_SECONDS / 10)
        for group in groups:
            if group.job is not None:
                _pass_on(group, wires)
    for group in groups:
        group.end()
    for group in groups:
        group.wait(_END_SECONDS)


def _pass_on(group: _Group, wires: Wires) -> None:
    """Turn what ``group`` has to say into an event for the driver."""
    job, message = group.job, group.hear()
    assert job is not None
    if isinstance(message, EpochReport):
        wires.events.put((job, message))
    elif isinstance(message, Waiting):
        wires.events.put(Rung(job, message.epoch, message.top1))
        group.send(wires.answers.get())
    elif isinstance(message, Ended):
        wires.events.put(Outcome(job, message.end, error=message.error))
    elif message is not None:
        wires.events.put(message)


class _Group:
    """The driver's side of processes that train together."""

    def __init__(self, crew: Crew, folder: Path) -> None:
        self.job: Job | None = None
        self.sign: Any
        self._crew = crew
        self._folder = folder
        self._runs: list[_Run] = []

    @property
    def _run(self) -> _Run:
        """The last run; it may have ended."""
        return self._runs[-1]

    def give(self, job: Job) -> None:
        """Start ``job``; processes are started for it if there are none."""
        if not self._runs or self._run.is_ending or self._run.over.is_set():
            self._runs.append(_Run(self._crew, self._folder))
        self.job = job
        self.send(job)
        self.sign = self._run.desk.hear.remote()

    def send(self, message: Job | bool) -> None:
        """Send a job to all processes, or an answer to the first."""
        self._run.desk.put.remote(message)

    def stop(self) -> None:
        """Ask the job to stop after the epoch under way."""
        self._run.desk.stop.remote()

    def end(self) -> None:
        """Let all processes end."""
        for run in self._runs:
            run.end()

    def wait(self, seconds: float) -> None:
        """Wait until they have ended, at most so long."""
        deadline = time.monotonic() + seconds
        for run in self._runs:
            run.over.wait(max(0.0, deadline - time.monotonic()))

    def hear(self) -> EpochReport | Waiting | Ended | InputError | None:
        """Return what the processes have to say; None if there is nothing."""
        message: EpochReport | Waiting | Ended | InputError
        was_over = self._run.over.is_set()
        if ray.wait([self.sign], timeout=0)[0]:
            try:
                message = ray.get(self.sign)
            except ray.exceptions.RayError as error:
                message = Ended(End.DIED, f"its desk was lost: {' '.join(str(error).split())[:300]}")
        elif was_over:
            message = self._run.fault
        else:
            return None
        if isinstance(message, Ended | InputError):
            self.job = None
            if isinstance(message, InputError) or message.end not in (End.DONE, End.STOPPED):
                self._run.end()  # The next job has clean processes, and all their memory.
        else:
            self.sign = self._run.desk.hear.remote()
        return message


class _Run:
    """One run of ``TorchTrainer``, in a thread of its own.

    ``desk`` is where its processes take jobs and leave messages; ``over`` is set when it has ended, with ``fault``.
    """

    def __init__(self, crew: Crew, folder: Path) -> None:
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self.desk = _Desk.options(scheduling_strategy=here).remote(crew.evaluator, crew.workers)  # type: ignore[attr-defined]
        self.over = threading.Event()
        self.is_ending = False
        self.fault = Ended(End.DIED, "its processes ended")
        gpus = min(1.0, ray.cluster_resources().get("GPU", 0.0)) if crew.gpus is None else crew.gpus
        self._trainer = TorchTrainer(
            _serve,
            train_loop_config={"desk": self.desk, "cwd": str(Path.cwd())},
            torch_config=TorchConfig(
                backend="cpu:gloo,cuda:nccl" if gpus else "gloo", timeout_s=int(crew.timeout)
            ),
            scaling_config=ScalingConfig(
                num_workers=crew.workers,
                use_gpu=gpus > 0,
                resources_per_worker={"CPU": 1, "GPU": gpus} if gpus else {"CPU": 1},
            ),
            run_config=RunConfig(
                name="group",
                storage_path=str(folder),
                failure_config=FailureConfig(max_failures=0, max_preemption_failures=0),
            ),
        )
        threading.Thread(target=self._fit, daemon=True).start()

    def _fit(self) -> None:
        try:
            self._trainer.fit()
        except (Exception, SystemExit) as error:  # The trial's fault; the latter when Ray is shut down.
            self.fault = _fault(error)
        finally:
            self.over.set()

    def end(self) -> None:
        """Let the processes end; those that still wait for a job would keep their GPUs."""
        self.is_ending = True
        with contextlib.suppress(ray.exceptions.RayError):
            ray.kill(self.desk)


def _fault(error: BaseException) -> Ended:
    """Return what the end of a run means to its trial."""
    own = list(getattr(error, "worker_failures", {}).values()) or [error]
    lost = [each for each in own if isinstance(each, ray.exceptions.RayError)] or own
    is_memory = any(isinstance(each, ray.exceptions.OutOfMemoryError) for each in lost)
    reason = f"one of its processes was lost: {' '.join(str(lost[0]).split())[:300]}"
    return Ended(End.MEMORY if is_memory else End.DIED, reason)


@ray.remote(num_cpus=0)
class _Desk:
    """Where a group's processes take jobs and answers, and leave what they have to say."""

    def __init__(self, evaluator: Evaluator, workers: int) -> None:
        self._evaluator = evaluator
        self._jobs: list[asyncio.Queue[Job]] = [asyncio.Queue() for _ in range(workers)]
        self._answers: asyncio.Queue[bool] = asyncio.Queue()
        self._messages: asyncio.Queue[Any] = asyncio.Queue()
        self._stopping = False

    async def evaluator(self) -> Evaluator:
        return self._evaluator

    async def put(self, message: Job | bool) -> None:
        if isinstance(message, bool):
            self._answers.put_nowait(message)
            return
        for jobs in self._jobs:
            jobs.put_nowait(message)

    async def stop(self) -> None:
        self._stopping = True

    async def hear(self) -> Any:
        return await self._messages.get()

    async def job(self, rank: int) -> Job:
        return await self._jobs[rank].get()

    async def ask(self, question: Waiting) -> bool:
        self._messages.put_nowait(question)
        return await self._answers.get()

    async def tell(self, message: Any) -> bool:
        """Take a message, and return whether the driver wants to end."""
        self._messages.put_nowait(message)
        return self._stopping


class _Fault(Exception):
    """Ends a process of a group, and with it the group."""


def _serve(config: dict[str, Any]) -> None:
    """Evaluate one job after the other, in each process of a group, until the driver or another process is gone."""
    if os.path.isdir(config["cwd"]):
        os.chdir(config["cwd"])
    desk, ranks = config["desk"], Ranks.current()
    evaluator = ray.get(desk.evaluator.remote())
    while True:
        job = ray.get(desk.job.remote(ranks.rank))
        ended = evaluate(evaluator, job, _Reporter(desk, ranks), locks=ranks.is_first)
        if isinstance(ended, Ended) and ended.end in (End.DONE, End.STOPPED):
            ranks.gather(None)
            if ranks.is_first:
                ray.get(desk.tell.remote(ended))
            continue
        if isinstance(ended, InputError) or ended.end is not End.DIED:  # Then Ray says who died.
            ray.get(desk.tell.remote(ended))  # Whichever process it is: the others can't go on without it.
        fault = _Fault(ended.error if isinstance(ended, Ended) else ended)
        raise fault


@dataclass(frozen=True)
class _Reporter:
    """An evaluation's way to tell: the first process speaks for all, and all hear the answer."""

    desk: Any
    ranks: Ranks

    def epoch(self, report: EpochReport) -> None:
        if self.ranks.from_first(lambda: ray.get(self.desk.tell.remote(report))):
            raise Stopped

    def rung(self, epoch: int, top1: float) -> None:
        if not self.ranks.from_first(lambda: ray.get(self.desk.ask.remote(Waiting(epoch, top1)))):
            raise Stopped

    def step(self, report: StepReport) -> None:
        """Nothing: a cluster is told of whole epochs."""
