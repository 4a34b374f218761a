"""The local engine: each trial in a warm worker process of its own on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from dynsearch.errors import InputError
from dynsearch.search.engines.engine import Evaluator, Job, Outcome, Rung, outcome_of
from dynsearch.search.engines.slot import Slot
from dynsearch.search.engines.worker import Ended, Waiting

if TYPE_CHECKING:
    from dynsearch.training.loop import EpochReport
    from dynsearch.training.progress import StepReport


class LocalEngine:
    """Evaluates up to ``num_slots`` jobs at once, each in a process that outlives neither crash nor driver.

    A job that fails, or whose process dies, is reported with its reason and the study goes on. A mistake in
    the user's input (a missing file, weights that can't be had) would fail every job alike, so it is raised.
    With several GPUs, jobs take turns on them. A job's network is trained by ``workers_per_trial`` processes together,
    each of which waits ``timeout`` seconds for another. ``on_epoch`` is called with the job after every epoch, and with
    where it is a few times a second.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        *,
        num_slots: int = 1,
        on_epoch: Callable[[Job, EpochReport | StepReport], None] | None = None,
        workers_per_trial: int = 1,
        timeout: float = 600.0,
    ) -> None:
        self.num_slots = num_slots
        self._on_epoch = on_epoch
        settings = _settings(num_slots, workers_per_trial)
        self._slots = [Slot(evaluator, *own, workers_per_trial, timeout) for own in settings]

    def submit(self, job: Job) -> None:
        """Start ``job`` in a free slot."""
        next(slot for slot in self._slots if slot.job is None).give(job)

    def collect(self, seconds: float) -> Outcome | Rung | None:
        """Return what became of the next job to end, or its rung; None if there is nothing in ``seconds``."""
        deadline = time.monotonic() + seconds
        while True:
            busy = [slot for slot in self._slots if slot.job is not None]
            signs = [sign for slot in busy for sign in slot.signs]
            wait(signs, timeout=max(0.0, deadline - time.monotonic()))
            for slot in busy:
                outcome = self._hear(slot)
                if outcome is not None:
                    return outcome
            if time.monotonic() >= deadline:
                return None

    def _hear(self, slot: Slot) -> Outcome | Rung | None:
        job = slot.job
        assert job is not None
        message = slot.take()
        if isinstance(message, InputError):
            raise message
        if isinstance(message, Waiting):
            return Rung(job, message.epoch, message.top1)
        if not isinstance(message, Ended):
            if self._on_epoch and message:
                self._on_epoch(job, message)
            return None
        return outcome_of(job, message.end, message.error)

    def answer(self, rung: Rung, *, go_on: bool) -> None:
        """Let the job that waits at ``rung`` go on, or stop it."""
        for slot in self._slots:
            if slot.job == rung.job:
                slot.answer(go_on=go_on)

    def stop(self) -> None:
        """Ask all jobs to stop as soon as what they have done is saved."""
        for slot in self._slots:
            slot.stop()

    def close(self) -> None:
        """End all workers at once."""
        for slot in self._slots:
            slot.close()


def _settings(num_slots: int, workers: int) -> Iterator[tuple[dict[str, str], tuple[int, int] | None]]:
    """Yield each slot's environment and threads, see ``Slot``: GPUs in turns, or the cores shared out."""
    if num_slots * workers == 1:
        yield {}, None
        return
    import torch

    from dynsearch.machine import available_cores

    count = torch.cuda.device_count()
    visible = (os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(count)))).split(",")
    most, cores = torch.get_num_threads(), available_cores() // workers
    threads = None if count else (max(1, min(most, cores // num_slots)), max(1, min(most, cores)))
    for slot in range(num_slots):
        own = [visible[i % count] for i in range(slot * workers, (slot + 1) * workers)] if count > 1 else []
        yield ({"CUDA_VISIBLE_DEVICES": ",".join(dict.fromkeys(own))} if own else {}), threads
