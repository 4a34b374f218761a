"""The seam between the driver, which proposes, and the engine, which evaluates."""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from dynsearch.plan import Plan

if TYPE_CHECKING:
    from dynsearch.scores import ExitScores
    from dynsearch.training.loop import EpochReport
    from dynsearch.training.progress import StepReport
    from dynsearch.training.run import TrainedScores


@dataclass(frozen=True)
class Job:
    """One plan to be evaluated; its files go to ``folder``.

    Attributes:
        kind: What is wanted: the scores of the ``plan``, or for one-shot search the ``network`` of its shape or the
            grid of its ``order``.
        halvings: How often the batch is halved, because the trial ran out of memory before.
        shared: Whether the plan is measured with the one-shot network's own weights, and not trained.
        alone: Whether no other job is under way meanwhile, so that it has all cores.
    """

    number: int
    plan: Plan
    folder: Path
    halvings: int = 0
    shared: bool = False
    kind: Literal["plan", "network", "order"] = "plan"
    alone: bool = False


class End(enum.Enum):
    """How a job ended."""

    DONE = "done"
    FAILED = "failed"
    MEMORY = "out of memory"
    DIED = "its process died"
    DEVICE = "the device failed"
    STOPPED = "stopped on request; it can go on later"


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its scores on calibration, or the reason why there are none."""

    job: Job
    end: End
    scores: ExitScores | None = None
    error: str | None = None


def outcome_of(job: Job, end: End, error: str | None) -> Outcome:
    """Return what became of a job that has ended: with its scores, where this machine sees them."""
    from dynsearch.training.run import read_calibration

    if end is not End.DONE or job.kind != "plan":
        return Outcome(job, end, error=error)
    scores = read_calibration(job.folder, job.plan)
    if scores is None:
        where = f"{job.folder} as {os.uname().nodename} sees it"
        return Outcome(job, End.FAILED, error=f"its exit scores are missing in {where}")
    return Outcome(job, end, scores)


@dataclass(frozen=True)
class Rung:
    """A job waits to be told whether it goes on: after ``epoch`` epochs, at ``top1`` on calibration at the budget."""

    job: Job
    epoch: int
    top1: float


class Monitor(Protocol):
    """What an evaluation tells while it runs."""

    def epoch(self, report: EpochReport) -> None:
        """An epoch is finished and its state saved; Stopped where the driver wants to end."""

    def rung(self, epoch: int, top1: float) -> None:
        """A trial that may be stopped early has reached ``top1`` after ``epoch`` epochs.

        Raises:
            Stopped: It is not good enough to go on.
        """

    def step(self, report: StepReport) -> None:
        """Told a few times a second, while training and scoring."""


class Evaluator(Protocol):
    """Trains and measures one plan. It is sent to other processes, so it can be pickled."""

    def __call__(self, job: Job, monitor: Monitor) -> TrainedScores | None:
        """Leave what the job wants in its folder; called again for the same job it resumes."""


class Engine(Protocol):
    """Runs jobs. One driver submits and collects; engines never touch the study's storage.

    Attributes:
        num_slots: Jobs that may be under way at once.
    """

    num_slots: int

    def submit(self, job: Job) -> None:
        """Start ``job``. There are never more than ``num_slots``."""

    def collect(self, seconds: float) -> Outcome | Rung | None:
        """Wait until a submitted job ends, or waits at a rung, and return that; None if none does in ``seconds``.

        Raises:
            InputError: A mistake of the user's that would fail every job alike.
        """

    def answer(self, rung: Rung, *, go_on: bool) -> None:
        """Let the job that waits at ``rung`` go on, or stop it."""

    def stop(self) -> None:
        """Ask all jobs to stop as soon as what they have done is saved."""

    def close(self) -> None:
        """End all processes at once, and with them the jobs under way."""
