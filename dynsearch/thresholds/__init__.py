"""Exit policies: evaluating them, and solvers that choose their thresholds."""

from dynsearch.registry import Registry
from dynsearch.thresholds.frontier_solver import frontier
from dynsearch.thresholds.geometric import geometric
from dynsearch.thresholds.operating_point import (
    OperatingPoint,
    ThresholdSolver,
    always_exit,
    evaluate_policies,
    evaluate_policy,
    full_inference,
)
from dynsearch.thresholds.optuna_solver import optuna_search
from dynsearch.thresholds.policy import ExitPolicy
from dynsearch.thresholds.risk import risk
from dynsearch.thresholds.shared import shared
from dynsearch.thresholds.target_accuracy import target_accuracy

SOLVERS: Registry[ThresholdSolver] = Registry(
    "threshold solver",
    {
        "frontier": frontier,
        "geometric": geometric,
        "shared": shared,
        "target-accuracy": target_accuracy,
        "risk": risk,
        "optuna": optuna_search,
    },
)
"""Threshold solvers by name."""

__all__ = [
    "SOLVERS",
    "ExitPolicy",
    "OperatingPoint",
    "ThresholdSolver",
    "always_exit",
    "evaluate_policies",
    "evaluate_policy",
    "frontier",
    "full_inference",
    "geometric",
    "optuna_search",
    "risk",
    "shared",
    "target_accuracy",
]
