"""What keeps a budget, said once.

Costs are sums of floating-point numbers, budgets are typed: a budget of 0.3 admits a cost summed to
0.30000000000000004.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from dynsearch.measures import CostMeasure

_ROUNDING = 1e-12  # relative

Point = TypeVar("Point")


@overload
def fits(cost: float, budget: float) -> bool: ...
@overload
def fits(cost: NDArray[np.float64], budget: float) -> NDArray[np.bool_]: ...
def fits(cost: float | NDArray[np.float64], budget: float) -> bool | NDArray[np.bool_]:
    """Return whether a cost is at most the budget, but for rounding; of an array, for each of its costs."""
    inside = cost <= budget + abs(budget) * _ROUNDING
    return inside if isinstance(inside, np.ndarray) else bool(inside)


def excess(cost: float, budget: float) -> float:
    """Return by how much a cost is over the budget: at most zero where it fits."""
    return min(cost - budget, 0.0) if fits(cost, budget) else cost - budget


def last_that_fits(
    points: Sequence[Point], budget: float, cost: Callable[[Point], float], measure: CostMeasure
) -> Point:
    """Return the last of the points that fits: of points, one at least, that rise in cost and accuracy, the best one.

    Raises:
        InfeasibleBudgetError: No point fits; the error carries the lowest cost.
    """
    for point in reversed(points):
        if fits(cost(point), budget):
            return point
    costs = [cost(point) for point in points]
    raise measure.too_low(float(budget), min(costs), max(costs))
