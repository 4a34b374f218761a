"""The accuracy / cost frontier: dominance, choice under a budget, intervals, several plans together."""

from dynsearch.frontier.bootstrap import (
    Interval,
    bootstrap_difference,
    cost_interval,
    share_interval,
    top1_interval,
)
from dynsearch.frontier.crossfit import CrossFitted, cross_fit
from dynsearch.frontier.dominance import hypervolume, pareto_mask
from dynsearch.frontier.frontier import Frontier
from dynsearch.frontier.limits import Limit as Limit
from dynsearch.frontier.merge import MergedPoint, Merging, merge
from dynsearch.frontier.safe import chance_of_exceeding, cost_standard_error, safe_best_under
from dynsearch.frontier.solve import DEFAULT_SOLVER, solve_thresholds

__all__ = [
    "DEFAULT_SOLVER",
    "CrossFitted",
    "Frontier",
    "Interval",
    "MergedPoint",
    "Merging",
    "bootstrap_difference",
    "chance_of_exceeding",
    "cost_interval",
    "cost_standard_error",
    "cross_fit",
    "hypervolume",
    "merge",
    "pareto_mask",
    "safe_best_under",
    "share_interval",
    "solve_thresholds",
    "top1_interval",
]
