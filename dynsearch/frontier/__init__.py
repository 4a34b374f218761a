"""The accuracy / cost frontier: dominance, choice under a budget, intervals, several plans together."""

from dynsearch.frontier.bootstrap import (
    Interval,
    bootstrap_difference,
    bootstrap_interval,
    cost_interval,
    top1_interval,
)
from dynsearch.frontier.dominance import pareto_mask
from dynsearch.frontier.frontier import Frontier
from dynsearch.frontier.hypervolume import hypervolume
from dynsearch.frontier.merge import MergedPoint, merge
from dynsearch.frontier.solve import DEFAULT_SOLVER, solve_thresholds

__all__ = [
    "DEFAULT_SOLVER",
    "Frontier",
    "Interval",
    "MergedPoint",
    "bootstrap_difference",
    "bootstrap_interval",
    "cost_interval",
    "hypervolume",
    "merge",
    "pareto_mask",
    "solve_thresholds",
    "top1_interval",
]
