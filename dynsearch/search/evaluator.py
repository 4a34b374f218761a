"""The evaluator of the retrain strategy: train each plan alone, then measure it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dynsearch.search.engines.engine import Job
from dynsearch.training.config import TrainingConfig
from dynsearch.training.loop import EpochReport
from dynsearch.training.run import ClipSource, TrainedScores, train_and_score


@dataclass(frozen=True)
class TrainingEvaluator:
    """Trains a plan for the full schedule and scores it on calibration and test.

    Attributes:
        source: The clips.
        config: Training settings.
        seed: The study's seed; every plan starts from it, so a plan's result does not depend on its trial.
        on_epoch: Called with the job after every epoch.
    """

    source: ClipSource
    config: TrainingConfig
    seed: int
    on_epoch: Callable[[Job, EpochReport], None] | None = None

    def __call__(self, job: Job) -> TrainedScores:
        """Return the exit scores of the job's plan; an interrupted training goes on."""

        def report(epoch: EpochReport) -> None:
            if self.on_epoch:
                self.on_epoch(job, epoch)

        return train_and_score(
            job.plan, self.source, self.config, job.folder, seed=self.seed, on_epoch=report
        )
