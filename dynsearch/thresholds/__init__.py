"""Exit policies: evaluating them, and solvers that choose their thresholds."""

from collections.abc import Mapping
from types import MappingProxyType

from dynsearch.thresholds.geometric import geometric
from dynsearch.thresholds.operating_point import OperatingPoint, evaluate_policies, evaluate_policy
from dynsearch.thresholds.policy import ExitPolicy
from dynsearch.thresholds.solver import ThresholdSolver

SOLVERS: Mapping[str, ThresholdSolver] = MappingProxyType({"geometric": geometric})

__all__ = [
    "SOLVERS",
    "ExitPolicy",
    "OperatingPoint",
    "ThresholdSolver",
    "evaluate_policies",
    "evaluate_policy",
    "geometric",
]
