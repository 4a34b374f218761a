"""MLflow: one run a trial, in an experiment of the study's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow import MlflowClient

from dynsearch.plan import Plan
from dynsearch.search.loggers.logger import facts_of, values_of, values_of_point
from dynsearch.thresholds import OperatingPoint

if TYPE_CHECKING:
    from dynsearch.study.recipe import StudyRecipe
    from dynsearch.training.loop import EpochReport

_TRIAL = "dynsearch.trial"


class MlflowLogger:
    """Reports to MLflow, where the study is the experiment; MLFLOW_TRACKING_URI and its other variables count."""

    def __init__(self, study: str, recipe: StudyRecipe) -> None:
        self.recipe = recipe
        self._client = MlflowClient()
        there = self._client.get_experiment_by_name(study)
        self._experiment = there.experiment_id if there else self._client.create_experiment(study)
        self._study = study
        self._runs: dict[int, str] = {}

    def started(self, number: int, plan: Plan) -> None:
        """Begin the trial's run, or go on with it."""
        found = self._client.search_runs([self._experiment], f"tags.`{_TRIAL}` = '{number}'", max_results=1)
        if found:
            self._runs[number] = found[0].info.run_id
            self._client.update_run(self._runs[number], status="RUNNING")
            return
        run = self._client.create_run(
            self._experiment, tags={_TRIAL: str(number)}, run_name=f"{self._study}-{number}"
        )
        self._runs[number] = run.info.run_id
        facts = {**facts_of(plan), "dataset": self.recipe.dataset, "seed": self.recipe.seed}
        for name, value in facts.items():
            self._client.log_param(run.info.run_id, name, value)

    def epoch(self, number: int, report: EpochReport) -> None:
        """Log the epoch."""
        self._log(number, values_of(report), report.epoch)

    def ended(self, number: int, point: OperatingPoint | None, error: str | None) -> None:
        """Log the point and end the run."""
        if number not in self._runs:
            return
        if point is None:
            self._client.set_tag(self._runs[number], "error", error)
        else:
            self._log(number, values_of_point(point), 0)
        self._client.set_terminated(self._runs.pop(number), "FAILED" if point is None else "FINISHED")

    def close(self) -> None:
        """Say that what is under way was stopped."""
        for run in self._runs.values():
            self._client.set_terminated(run, "KILLED")
        self._runs.clear()

    def _log(self, number: int, values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            self._client.log_metric(self._runs[number], name, value, step=step)
