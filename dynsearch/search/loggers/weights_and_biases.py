"""Weights & Biases: one run a trial, grouped by study."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import wandb

from dynsearch.plan import Plan
from dynsearch.search.loggers.logger import facts_of, values_of, values_of_point
from dynsearch.thresholds import OperatingPoint

if TYPE_CHECKING:
    from dynsearch.study.recipe import StudyRecipe
    from dynsearch.training.loop import EpochReport


class WandbLogger:
    """Reports to Weights & Biases, where the study is the runs' group; WANDB_MODE, WANDB_PROJECT and others count."""

    def __init__(self, study: str, recipe: StudyRecipe) -> None:
        self.study = study
        self.recipe = recipe
        self._runs: dict[int, Any] = {}

    def started(self, number: int, plan: Plan) -> None:
        """Begin the trial's run, or go on with it."""
        self._runs[number] = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "dynsearch"),
            group=self.study,
            name=f"{self.study}-{number}",
            id=f"{self.study}-{number}",
            resume="allow",
            reinit="create_new",
            config={**facts_of(plan), "dataset": self.recipe.dataset, "seed": self.recipe.seed},
            settings=wandb.Settings(silent=True),
        )

    def epoch(self, number: int, report: EpochReport) -> None:
        """Log the epoch."""
        self._runs[number].log(values_of(report), step=report.epoch)

    def ended(self, number: int, point: OperatingPoint | None, error: str | None) -> None:
        """Put the point into the run's summary and finish it."""
        run = self._runs.pop(number, None)
        if run is None:
            return
        run.summary.update({"error": error} if point is None else values_of_point(point))
        run.finish(exit_code=1 if point is None else 0)

    def close(self) -> None:
        """Hand in what is under way."""
        for run in self._runs.values():
            run.finish(exit_code=255)
        self._runs.clear()
