"""The evaluator of the retrain strategy: train each plan alone, then measure it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dynsearch.frontier import Limit, solve_thresholds
from dynsearch.frontier.choose_confidence import named_confidence
from dynsearch.measures import COUNTED, CostMeasure
from dynsearch.network.weights.files import save_weights
from dynsearch.plugins import Imported, imported
from dynsearch.scores import ExitScores
from dynsearch.search.engines.engine import Job, Monitor
from dynsearch.search.halving import rungs
from dynsearch.search.one_shot.library import Library
from dynsearch.search.one_shot.training import SharedWeights, trunk_of
from dynsearch.study.notes import draw_trial
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.record import SHARED
from dynsearch.study.saved_frontiers import solved_once
from dynsearch.training.clip_source import ClipSource
from dynsearch.training.config import TrainingConfig
from dynsearch.training.folds import FOLDED, with_folds
from dynsearch.training.made import WEIGHTS, Made
from dynsearch.training.progress import StepReport
from dynsearch.training.ranks import Ranks
from dynsearch.training.run import TrainedScores, plan_made, train_and_score


@dataclass(frozen=True)
class _Solving:
    """Solves a trial's thresholds as the recipe says: at its rungs, and when it is measured, for the driver."""

    recipe: StudyRecipe
    limits: Sequence[Limit]
    epochs: tuple[int, ...]
    job: Job
    monitor: Monitor

    def show(self, epoch: int, calibration: ExitScores) -> None:
        how = self.recipe
        confidence = named_confidence(calibration, how.confidence)
        curve = solve_thresholds(
            calibration, how.solver, confidence=confidence, limits=self.limits, **how.solver_options
        )
        self.monitor.rung(epoch, curve.best_under(how.budget).top1)

    def leave(self, calibration: ExitScores) -> None:
        """Leave thresholds and pictures in the trial's folder; the driver does, and meets, what can't be done."""
        how, job = self.recipe, self.job
        with contextlib.suppress(Exception):
            own = (how.solver, how.confidence, how.solver_options)
            curve = solved_once(job.folder, calibration, *own, self.limits)
            point = curve.best_under(how.budget)
            draw_trial(job.folder, job.number, job.plan, calibration, curve, point, how.budget)


@dataclass(frozen=True)
class TrainingEvaluator:
    """Trains a plan and scores it on calibration and test.

    Attributes:
        seed: The study's seed; every plan starts from it, so a plan's result does not depend on its trial.
        shared: The one-shot networks' weights, where there are such networks.
        starts_shared: Whether trainings begin with them; otherwise as ``config`` says.
        recipe: The study's; with none, trials are never stopped early, and solved by the driver.
        save_every_steps: Steps after which a training's state is saved; None saves it after each epoch only.
        measure: What costs are in.
        folds: Whether thresholds see the training videos too, cross-fitted.
        library: Makes one-shot networks and their grids, where there are any.
    """

    source: ClipSource
    config: TrainingConfig
    seed: int
    shared: SharedWeights | None = None
    starts_shared: bool = False
    recipe: StudyRecipe | None = None
    save_every_steps: int | None = 1000
    measure: CostMeasure = COUNTED
    folds: bool = False
    library: Library | None = None

    def __call__(self, job: Job, monitor: Monitor) -> TrainedScores | None:
        """Return the exit scores of the job's plan, if those are wanted; an interrupted training goes on.

        Processes that belong to a group of torch's train together.
        """
        if job.kind != "plan":
            assert self.library is not None
            self.library.make(
                job,
                lambda told: monitor.step(told) if isinstance(told, StepReport) else monitor.epoch(told),
                monitor.rung,
            )
            return None
        ranks, solving = Ranks.current(), self._solving(job, monitor)
        facts = self._folded if self.shared is None or not job.shared else SHARED | self.shared.facts
        alike: dict[str, Any] = {
            "halvings": job.halvings, "seed": self.seed, "epochs": self._epochs, "measure": self.measure,
            "save_every_steps": self.save_every_steps, "ranks": ranks, "on_step": monitor.step,
        }  # fmt: skip
        own = (job.plan, self.source, self.config, job.folder)
        made = plan_made(
            job.plan, self.source, self.config, self.seed, measure=self.measure, processes=ranks.count,
            start=self._start_facts, halvings=job.halvings, **facts,
        )  # fmt: skip
        start_from = ranks.from_first(lambda: self._weights_from(job, made))
        scores = train_and_score(
            *own,
            bases=job.folder.parents[1] / "bases",
            start_from=start_from,
            made=made,
            on_epoch=monitor.epoch,
            probe=solving,
            widen=partial(with_folds, *own, **alike) if self.folds else None,
            **alike,
        )
        if start_from is not None and ranks.is_first:
            start_from.unlink(missing_ok=True)
        if solving and ranks.is_first:
            solving.leave(scores.calibration)
        return scores

    def __getstate__(self) -> dict[str, Any]:
        """Return what is sent to another process, which imports the user's modules before it reads the rest."""
        return {"plugins": Imported(imported()), **self.__dict__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({name: value for name, value in state.items() if name != "plugins"})

    def _solving(self, job: Job, monitor: Monitor) -> _Solving | None:
        if self.recipe is None:
            return None
        limits = self.recipe.limits_on(job.plan, self.source.num_classes)
        return _Solving(
            self.recipe, limits, rungs(self.recipe.pruner, self._epochs, job.number), job, monitor
        )

    @property
    def _epochs(self) -> int:
        begun = self.shared if self.starts_shared else None
        return begun.settings.finishing(self.config.epochs) if begun else self.config.epochs

    @property
    def _folded(self) -> dict[str, Any]:
        return FOLDED if self.folds else {}

    @property
    def _start_facts(self) -> dict[str, Any] | None:
        return self.shared.facts if self.shared and self.starts_shared else None

    def _weights_from(self, job: Job, made: Made) -> Path | None:
        """Put the one-shot network's weights where the job wants them; return the file of those it starts from."""
        weights, start = job.folder / WEIGHTS, job.folder / "start.safetensors"
        if self.shared is None or weights.is_file():
            return None
        if job.shared:
            network = self.shared.network(job.plan, trunk_of(job.plan, self.shared.space))
            job.plan.save(job.folder / "plan.yaml")
            save_weights(network, weights, made.text)
        if job.shared or not self.starts_shared:
            return None
        if not start.is_file():
            save_weights(self.shared.network(job.plan), start)
        return start

    def made(self, processes: int, **more: Any) -> Made:
        """Return what makes the results of all its jobs, each trained by so many processes; ``more`` are facts too."""
        return Made.by(
            self.source.key, self.config, self.seed, processes=processes, measure=self.measure.name,
            start=self._start_facts, **self._folded, **more,
        )  # fmt: skip
