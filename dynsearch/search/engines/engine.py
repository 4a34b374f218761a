"""The seam between the driver, which proposes, and the engine, which evaluates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dynsearch.plan import Plan
from dynsearch.training.run import TrainedScores


@dataclass(frozen=True)
class Job:
    """One plan to be evaluated.

    Attributes:
        number: The trial's number.
        plan: The plan.
        folder: Where the trial's files go.
    """

    number: int
    plan: Plan
    folder: Path


@dataclass(frozen=True)
class Outcome:
    """What became of a job: scores, or the reason why there are none."""

    job: Job
    scores: TrainedScores | None
    error: str | None = None


class Evaluator(Protocol):
    """Trains and measures one plan."""

    def __call__(self, job: Job) -> TrainedScores:
        """Return the exit scores of the job's plan; called again for the same job it resumes."""


class Engine(Protocol):
    """Runs jobs. One driver submits and collects; engines never touch the study's storage.

    Attributes:
        num_slots: Jobs that may be under way at once.
    """

    num_slots: int

    def submit(self, job: Job) -> None:
        """Start ``job``, or queue it."""

    def collect(self) -> Outcome:
        """Wait until a submitted job ends, and return what became of it."""
