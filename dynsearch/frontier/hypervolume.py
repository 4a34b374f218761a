"""Hypervolume: the area a set of (cost, value) points dominates."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from dynsearch.frontier.dominance import checked_points


def hypervolume(
    cost_N: ArrayLike, value_N: ArrayLike, *, reference_cost: float, reference_value: float = 0.0
) -> float:
    """Return the area dominated by the points, up to ``reference_cost`` and down to ``reference_value``.

    Args:
        cost_N: Lower is better.
        value_N: Higher is better.
        reference_cost: The highest cost that counts; dearer points add nothing.
        reference_value: The lowest value that counts; worse points add nothing.

    Raises:
        InputError: A value is NaN, or the shapes differ.
    """
    cost, value = checked_points(cost_N, value_N)
    order = np.argsort(cost, kind="stable")
    cost = np.minimum(cost[order], reference_cost)
    height = np.maximum.accumulate(np.maximum(value[order] - reference_value, 0.0))
    widths = np.diff(cost, append=reference_cost)
    return float((widths * height).sum()) if len(cost) else 0.0
