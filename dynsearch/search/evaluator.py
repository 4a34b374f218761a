"""The evaluator of the retrain strategy: train each plan alone, then measure it."""

from __future__ import annotations

from dataclasses import dataclass

from dynsearch.search.engines.engine import Job, Monitor
from dynsearch.training.config import TrainingConfig
from dynsearch.training.run import ClipSource, TrainedScores, train_and_score


@dataclass(frozen=True)
class TrainingEvaluator:
    """Trains a plan for the full schedule and scores it on calibration and test.

    Attributes:
        source: The clips.
        config: Training settings.
        seed: The study's seed; every plan starts from it, so a plan's result does not depend on its trial.
    """

    source: ClipSource
    config: TrainingConfig
    seed: int

    def __call__(self, job: Job, monitor: Monitor) -> TrainedScores:
        """Return the exit scores of the job's plan; an interrupted training goes on."""
        return train_and_score(
            job.plan,
            self.source,
            self.config_for(job.halvings),
            job.folder,
            seed=self.seed,
            bases=job.folder.parents[1] / "bases",
            on_epoch=monitor.epoch,
        )

    def config_for(self, halvings: int) -> TrainingConfig:
        """Return the settings with the batch halved so often, and as many more accumulated for each step."""
        parts = min(2**halvings, self.config.batch_size)
        batch_size, accumulate = -(-self.config.batch_size // parts), self.config.accumulate * parts
        return self.config.model_copy(update={"batch_size": batch_size, "accumulate": accumulate})
