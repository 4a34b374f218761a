"""Which points nobody beats on both cost and value.

Shapes: N points.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dynsearch.errors import InputError


def pareto_mask(cost_N: ArrayLike, value_N: ArrayLike) -> NDArray[np.bool_]:
    """Return (N,): True where no other point costs no more, is worth no less, and differs.

    Equal points do not dominate each other: all of them are kept.

    Raises:
        InputError: A value is NaN, or the shapes differ. A failed measurement must not reach a frontier.
    """
    cost, value = checked_points(cost_N, value_N)
    order = np.lexsort((-value, cost))
    sorted_cost, sorted_value = cost[order], value[order]
    best_before = np.maximum.accumulate(np.concatenate(([-np.inf], sorted_value)))[:-1]
    keep = sorted_value > best_before
    if len(keep):
        keep[0] = True  # also where the value is -inf
    # A point equal to a kept one sits right behind it in this order.
    starts = np.flatnonzero(keep)
    last_start = starts[np.cumsum(keep) - 1] if len(starts) else np.empty(0, dtype=np.int64)
    equal = (sorted_cost == sorted_cost[last_start]) & (sorted_value == sorted_value[last_start])
    mask = np.empty(len(cost), dtype=bool)
    mask[order] = keep | equal
    return mask


def checked_points(cost_N: ArrayLike, value_N: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both as float64 (N,), two equally long lists of numbers without NaN."""
    cost: NDArray[Any] = np.asarray(cost_N, dtype=np.float64)
    value: NDArray[Any] = np.asarray(value_N, dtype=np.float64)
    if cost.ndim != 1 or cost.shape != value.shape:
        raise InputError(f"costs {cost.shape} and values {value.shape} must be two lists of one length")
    for name, array in (("cost", cost), ("value", value)):
        if np.isnan(array).any():
            raise InputError(f"the {name} of point {int(np.flatnonzero(np.isnan(array))[0])} is not a number")
    return cost, value


def hypervolume(
    cost_N: ArrayLike, value_N: ArrayLike, *, reference_cost: float, reference_value: float = 0.0
) -> float:
    """Return the area dominated by the points, up to ``reference_cost`` and down to ``reference_value``.

    Raises:
        InputError: A value is NaN, or the shapes differ.
    """
    cost, value = checked_points(cost_N, value_N)
    order = np.argsort(cost, kind="stable")
    cost = np.minimum(cost[order], reference_cost)
    height = np.maximum.accumulate(np.maximum(value[order] - reference_value, 0.0))
    widths = np.diff(cost, append=reference_cost)
    return float((widths * height).sum()) if len(cost) else 0.0
