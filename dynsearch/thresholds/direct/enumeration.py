"""All threshold policies of a tiny table, exactly.

Shapes: E exits, N videos, S policies.
"""

import math

import numpy as np
from numpy.typing import NDArray

from dynsearch.thresholds.direct.bins import Bins, Positions
from dynsearch.thresholds.direct.slots import rising


def num_policies(bins: Bins) -> int:
    """Return how many policies differ in the bins they stop."""
    return math.prod(len(table) for table in bins.thresholds)


def enumerate_frontier(
    bins: Bins, correct_EN: NDArray[np.bool_], cost_E: NDArray[np.float64]
) -> list[Positions]:
    """Return the policies that none beats, from cheap to dear; the cost is O(S N)."""
    num_videos = correct_EN.shape[1]
    reach_SN = np.ones((1, num_videos), dtype=bool)
    right_S = np.zeros(1, dtype=np.intp)
    counts_SE = np.zeros((1, len(cost_E)), dtype=np.intp)
    positions_SE = np.zeros((1, 0), dtype=np.intp)
    for k, table in enumerate(bins.thresholds):
        choice_P = np.arange(len(table))
        stop_PN = bins.codes[k] > choice_P[:, None]
        stopped = (reach_SN[:, None] & stop_PN[None]).reshape(-1, num_videos)
        reach_SN = (reach_SN[:, None] & ~stop_PN[None]).reshape(-1, num_videos)
        right_S = np.repeat(right_S, len(table)) + (stopped & correct_EN[k]).sum(axis=1)
        counts_SE = np.repeat(counts_SE, len(table), axis=0)
        counts_SE[:, k] = stopped.sum(axis=1)
        chosen = np.tile(choice_P, len(positions_SE))[:, None]
        positions_SE = np.hstack([np.repeat(positions_SE, len(table), axis=0), chosen])
    right_S = right_S + (reach_SN & correct_EN[-1]).sum(axis=1)
    counts_SE[:, -1] = reach_SN.sum(axis=1)
    return [tuple(row) for row in positions_SE[rising(counts_SE @ cost_E, right_S)].tolist()]
