"""dynsearch: budget search and calibration for multi-exit video action networks.

The names below are loaded when first used, so that importing dynsearch loads neither torch nor timm.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynsearch.api.evaluate import evaluate as evaluate
    from dynsearch.api.events import StudyEvent as StudyEvent
    from dynsearch.api.score import Scored as Scored
    from dynsearch.api.score import score as score
    from dynsearch.api.study import Study as Study
    from dynsearch.api.study import run_study as run_study
    from dynsearch.calibration import Calibration as Calibration
    from dynsearch.calibration import calibrate as calibrate
    from dynsearch.data import DATASETS as DATASETS
    from dynsearch.data.from_python import add_dataset as add_dataset
    from dynsearch.data.reader import read_frames as read_frames
    from dynsearch.errors import DynsearchError as DynsearchError
    from dynsearch.export.loaded import LoadedNetwork
    from dynsearch.families import build_network as build_network
    from dynsearch.families import cost_table as cost_table
    from dynsearch.frontier import Frontier as Frontier
    from dynsearch.frontier import solve_thresholds as solve_thresholds
    from dynsearch.measures import COST_MEASURES as COST_MEASURES
    from dynsearch.plan import Plan as Plan
    from dynsearch.plan.heads import HEADS as HEADS
    from dynsearch.plan.plan import FAMILIES as FAMILIES
    from dynsearch.scores import CONFIDENCE_MEASURES as CONFIDENCE_MEASURES
    from dynsearch.scores import ExitScores as ExitScores
    from dynsearch.study.run_settings import RunSettings as RunSettings
    from dynsearch.thresholds import SOLVERS as SOLVERS
    from dynsearch.thresholds import ExitPolicy as ExitPolicy
    from dynsearch.thresholds import OperatingPoint as OperatingPoint
    from dynsearch.training.optimizers import OPTIMIZERS as OPTIMIZERS

    load = LoadedNetwork

__version__ = "0.1.0"

_PUBLIC = {
    "CONFIDENCE_MEASURES": ("dynsearch.scores", "CONFIDENCE_MEASURES"),
    "COST_MEASURES": ("dynsearch.measures", "COST_MEASURES"),
    "Calibration": ("dynsearch.calibration", "Calibration"),
    "DATASETS": ("dynsearch.data", "DATASETS"),
    "DynsearchError": ("dynsearch.errors", "DynsearchError"),
    "ExitPolicy": ("dynsearch.thresholds", "ExitPolicy"),
    "ExitScores": ("dynsearch.scores", "ExitScores"),
    "FAMILIES": ("dynsearch.plan.plan", "FAMILIES"),
    "Frontier": ("dynsearch.frontier", "Frontier"),
    "HEADS": ("dynsearch.plan.heads", "HEADS"),
    "OPTIMIZERS": ("dynsearch.training.optimizers", "OPTIMIZERS"),
    "OperatingPoint": ("dynsearch.thresholds", "OperatingPoint"),
    "Plan": ("dynsearch.plan", "Plan"),
    "RunSettings": ("dynsearch.study.run_settings", "RunSettings"),
    "SOLVERS": ("dynsearch.thresholds", "SOLVERS"),
    "Study": ("dynsearch.api.study", "Study"),
    "Scored": ("dynsearch.api.score", "Scored"),
    "StudyEvent": ("dynsearch.api.events", "StudyEvent"),
    "add_dataset": ("dynsearch.data.from_python", "add_dataset"),
    "build_network": ("dynsearch.families", "build_network"),
    "calibrate": ("dynsearch.calibration", "calibrate"),
    "cost_table": ("dynsearch.families", "cost_table"),
    "evaluate": ("dynsearch.api.evaluate", "evaluate"),
    "load": ("dynsearch.export.loaded", "LoadedNetwork"),
    "read_frames": ("dynsearch.data.reader", "read_frames"),
    "run_study": ("dynsearch.api.study", "run_study"),
    "score": ("dynsearch.api.score", "score"),
    "solve_thresholds": ("dynsearch.frontier", "solve_thresholds"),
}

__all__ = sorted(_PUBLIC)


if not TYPE_CHECKING:  # A checker would take any name for one of these.

    def __getattr__(name: str) -> object:
        if name not in _PUBLIC:
            raise AttributeError(f"module 'dynsearch' has no attribute {name!r}")
        module, attribute = _PUBLIC[name]
        return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
