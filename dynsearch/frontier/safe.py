"""Keeping a budget on new videos: a margin on the mean cost. No labels are needed for it.

The mean cost of N calibration videos is about normal around the cost that new videos will have (central
limit theorem), with a standard error known from the exit shares. Points are chosen where these videos happen to be
cheap, the more so the more thresholds there are: how much dearer new videos are is known by cross-fitting.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.special import ndtri

from dynsearch.budget import fits, last_that_fits
from dynsearch.errors import InputError
from dynsearch.frontier.crossfit import cross_fit
from dynsearch.frontier.frontier import Frontier
from dynsearch.frontier.limits import Limit
from dynsearch.scores import ExitScores
from dynsearch.scores.spread import beyond
from dynsearch.thresholds import OperatingPoint

_UNSEEN = 2
_NUM_BUDGETS, _AROUND = 41, 5


def cost_standard_error(point: OperatingPoint, scores: ExitScores) -> float:
    """Return the standard error of the mean cost per video of a point measured on ``scores``."""
    if point.spread is not None:
        return point.spread.cost
    share_E, cost_E = np.array(point.exit_share), scores.cost_E
    variance = float(share_E @ (cost_E - share_E @ cost_E) ** 2)
    return math.sqrt(max(variance, 0.0) / point.num_videos)


def chance_of_exceeding(point: OperatingPoint, scores: ExitScores, budget: float) -> float:
    """Return the chance that the point's expected cost on new videos is above ``budget``."""
    error = cost_standard_error(point, scores)
    if error == 0:
        return float(not fits(point.cost, budget))
    return beyond(
        budget - _expected_cost(point, scores), error, point.spread.freedom if point.spread else math.inf
    )


def _expected_cost(point: OperatingPoint, scores: ExitScores) -> float:
    """Return the mean cost as if two videos more took all exits: points are chosen where videos happen to be cheap."""
    return (point.num_videos * point.cost + _UNSEEN * scores.cost_E[-1]) / (point.num_videos + _UNSEEN)


def safe_best_under(
    frontier: Frontier,
    scores: ExitScores,
    budget: float,
    *,
    delta: float = 0.1,
    limits: Sequence[Limit] = (),
    **solver: Any,
) -> OperatingPoint:
    """Return the most accurate point that keeps the budget on new videos with chance 1 - ``delta``, and so each limit.

    ``solver`` is how the frontier was solved, if not as usual: what :func:`cross_fit` is to be told.

    Raises:
        InputError: ``delta`` is not between 0 and 1/2, or the budget is not a number.
        InfeasibleBudgetError: No point is that safe; the error names the lowest budget that would do.
    """
    if not 0 < delta <= 0.5:
        raise InputError(f"delta must be above 0 and at most 0.5, got {delta}")
    frontier.best_under(budget)  # names the plain reasons first
    never = fits(scores.cost_E[-1], budget)  # is it exceeded
    dearer = (lambda cost: 0.0) if never else _dearer(frontier, scores, solver)

    def needed(point: OperatingPoint) -> float:
        margin = point.spread.times(1 - 2 * delta) if point.spread else float(ndtri(1 - delta))
        error = cost_standard_error(point, scores)
        return _expected_cost(point, scores) + dearer(point.cost) + margin * error if error else point.cost

    points = list(frontier)
    for limit in limits:
        least = min(limit.at_most(point, delta) for point in points)
        points = [point for point in points if fits(limit.at_most(point, delta), limit.bound)]
        if not points:
            raise limit.not_safe(least)
    return last_that_fits(points, budget, needed, scores.measure)


def _dearer(frontier: Frontier, scores: ExitScores, solver: Mapping[str, Any]) -> Callable[[float], float]:
    """Return how much more new videos cost than those that a point of some cost was fitted on."""
    if scores.num_videos < 2 or len(frontier) < 2:
        return lambda cost: 0.0
    budgets_B = np.linspace(frontier[0].cost, frontier[-1].cost, _NUM_BUDGETS)
    found = cross_fit(scores, budgets_B.tolist(), **{"confidence": frontier[0].policy.confidence, **solver})
    more_B = uniform_filter1d([one.cost - one.fitted_cost for one in found], _AROUND)
    return lambda cost: max(float(np.interp(cost, budgets_B, more_B)), 0.0)
