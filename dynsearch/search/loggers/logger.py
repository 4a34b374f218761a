"""The seam to experiment trackers, and what every one of them is told."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from dynsearch.errors import InputError
from dynsearch.plan import Plan
from dynsearch.thresholds import OperatingPoint

if TYPE_CHECKING:
    from dynsearch.study.recipe import StudyRecipe
    from dynsearch.training.loop import EpochReport


class TrialLogger(Protocol):
    """Told what happens to a study's trials; a training outside a study is its trial 0.

    A trial that goes on after an interruption goes on under its old entry.
    """

    def started(self, number: int, plan: Plan) -> None:
        """A trial began, or went on."""

    def epoch(self, number: int, report: EpochReport) -> None:
        """A trial finished an epoch."""

    def ended(self, number: int, point: OperatingPoint | None, error: str | None) -> None:
        """A trial finished with its point on calibration, or failed."""

    def close(self) -> None:
        """Nothing more will come; trials under way are left to go on later."""


LOGGERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "wandb": ("dynsearch.search.loggers.weights_and_biases", "WandbLogger"),
        "mlflow": ("dynsearch.search.loggers.mlflow_runs", "MlflowLogger"),
    }
)
"""Trackers by name: module and class, called with the study's name and its recipe. Each is an extra."""


def open_loggers(names: Iterable[str], study: str, recipe: StudyRecipe) -> list[TrialLogger]:
    """Return the trackers called ``names`` for a study; InputError where one is unknown or not installed."""
    loggers = []
    for name in dict.fromkeys(names):
        if name not in LOGGERS:
            raise InputError(f"there is no logger {name!r}", hint=f"Loggers: {', '.join(LOGGERS)}")
        module, factory = LOGGERS[name]
        try:
            found = importlib.import_module(module)
        except ImportError as error:
            raise InputError(
                f"{name} is not installed",
                where="--logger",
                hint=f"Install it: pip install 'dynsearch[{name}]'",
            ) from error
        loggers.append(getattr(found, factory)(study, recipe))
    return loggers


def facts_of(plan: Plan) -> dict[str, Any]:
    """Return what a tracker shows of a plan, as texts and numbers."""
    return {
        "plan_id": plan.plan_id,
        "family": plan.family,
        "backbone": plan.backbone,
        "num_frames": plan.num_frames,
        "image_size": plan.image_size,
        "frame_order": str(plan.frame_order),
        "temporal_shift": str(plan.temporal_shift),
        "exits": str(plan.exits),
        "head": plan.head,
    }


def values_of(report: EpochReport) -> dict[str, float]:
    """Return what a tracker shows of an epoch."""
    return {
        "training/loss": report.loss,
        "training/top1": report.top1,
        "training/learning_rate": report.learning_rate,
        "training/seconds": report.seconds,
    }


def values_of_point(point: OperatingPoint) -> dict[str, float]:
    """Return what a tracker shows of a finished trial: its point under the budget, on calibration."""
    shares = {f"calibration/exit_share{k}": share for k, share in enumerate(point.exit_share, start=1)}
    return {"calibration/top1": point.top1, f"calibration/{point.measure.name}": point.cost, **shares}
