"""What moving one threshold would change, with all others held.

The value of a policy is a sum over videos, so the gain of every position of one threshold is one
histogram over the videos that reach its exit and one cumulative sum: O(N) for all positions.

Shapes: E exits, N videos, P = bins + 1 positions of a threshold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynsearch.thresholds.direct.bins import Bins, Positions
from dynsearch.thresholds.direct.smoothing import smoothed


class Value(NamedTuple):
    """Mean accuracy (0..1) and mean cost (GFLOPs) of a policy."""

    accuracy: float
    gflops: float


class Changes(NamedTuple):
    """What each of the (E - 1, P) one-threshold changes adds, as means over videos."""

    accuracy: NDArray[np.float64]
    gflops: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Gains:
    """A threshold problem: who is right where, at what cost, and how sure.

    Args:
        bins: Bin numbers of every exit but the last.
        correct_EN: 1.0 where an exit is right, or a probability of it.
        gmacs_E: Cumulative cost of each exit.
        width: Of the smoothing of accuracy gains, in bins; 1 is none. Cost gains are never smoothed.
    """

    bins: Bins
    correct_EN: NDArray[np.float64]
    gmacs_E: NDArray[np.float64]
    width: int

    @property
    def num_videos(self) -> int:
        """N."""
        return self.correct_EN.shape[1]

    @property
    def num_thresholds(self) -> int:
        """E - 1: the last exit takes everything."""
        return len(self.gmacs_E) - 1

    def value(self, positions: Positions) -> Value:
        """Return accuracy and cost of a policy, not smoothed."""
        exit_N = self._exit_of(positions)
        right = self.correct_EN[exit_N, np.arange(self.num_videos)].mean()
        counts_E = np.bincount(exit_N, minlength=len(self.gmacs_E))
        return Value(float(right), float(counts_E @ self.gmacs_E / self.num_videos))

    def used_exits(self, policies: Iterable[Positions], least_share: float) -> set[int]:
        """Return the exits at which more than ``least_share`` of the videos stop under some policy."""
        used: set[int] = set()
        for positions in policies:
            counts = np.bincount(self._exit_of(positions), minlength=len(self.gmacs_E))
            used.update(np.flatnonzero(counts > least_share * self.num_videos).tolist())
        return used

    def ascend(self, price: float, positions: Positions, max_sweeps: int = 8) -> Positions:
        """Return positions of locally largest accuracy - ``price`` * cost, by coordinate ascent.

        Args:
            price: Accuracy that one GFLOP is worth.
            positions: Where to start.
            max_sweeps: Passes over all thresholds, last exit to first; it ends earlier when none moves.
        """
        current = list(positions)
        for _ in range(max_sweeps):
            before = tuple(current)
            reach = self._reach(current)
            later_correct, later_cost = self._after_last()
            for k in range(self.num_thresholds - 1, -1, -1):
                gain = self._accuracy_gain(k, reach[k], later_correct)
                gain -= price * self._cost_gain(k, reach[k], later_cost)
                best = int(gain.argmax())
                if gain[best] > gain[current[k]] + 1e-9:
                    current[k] = best
                self._stop(k, current[k], later_correct, later_cost)
            if tuple(current) == before:
                break
        return tuple(current)

    def changes(self, positions: Positions) -> Changes:
        """Return what every change of one threshold adds to accuracy (smoothed) and cost (exact)."""
        shape = (self.num_thresholds, self.bins.num_bins + 1)
        accuracy, gflops = np.empty(shape), np.empty(shape)
        reach = self._reach(positions)
        later_correct, later_cost = self._after_last()
        for k in range(self.num_thresholds - 1, -1, -1):
            accuracy[k] = self._accuracy_gain(k, reach[k], later_correct)
            gflops[k] = self._cost_gain(k, reach[k], later_cost)
            accuracy[k] -= accuracy[k, positions[k]]
            gflops[k] -= gflops[k, positions[k]]
            self._stop(k, positions[k], later_correct, later_cost)
        return Changes(accuracy / self.num_videos, gflops / self.num_videos)

    def _exit_of(self, positions: Positions) -> NDArray[np.intp]:
        exit_N = np.full(self.num_videos, self.num_thresholds)
        for k in range(self.num_thresholds - 1, -1, -1):
            np.putmask(exit_N, self.bins.codes[k] > positions[k], k)
        return exit_N

    def _reach(self, positions: Positions | list[int]) -> list[NDArray[np.bool_]]:
        reach = [np.ones(self.num_videos, dtype=bool)]
        for k in range(self.num_thresholds - 1):
            reach.append(reach[-1] & (self.bins.codes[k] <= positions[k]))
        return reach

    def _after_last(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.correct_EN[-1].copy(), np.full(self.num_videos, self.gmacs_E[-1])

    def _stop(
        self, k: int, position: int, later_correct: NDArray[np.float64], later_cost: NDArray[np.float64]
    ) -> None:
        """Turn what happens after exit k into what happens from exit k on, in place."""
        stops = self.bins.codes[k] > position
        np.putmask(later_correct, stops, self.correct_EN[k])
        np.putmask(later_cost, stops, self.gmacs_E[k])

    def _accuracy_gain(
        self, k: int, reach: NDArray[np.bool_], later_correct: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        histogram = self._histogram(k, (self.correct_EN[k] - later_correct) * reach)
        return _sum_above(smoothed(histogram, self.width))

    def _cost_gain(
        self, k: int, reach: NDArray[np.bool_], later_cost: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        return _sum_above(self._histogram(k, (self.gmacs_E[k] - later_cost) * reach))

    def _histogram(self, k: int, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        histogram: NDArray[np.float64] = np.bincount(
            self.bins.codes[k], weight, minlength=self.bins.num_bins + 1
        ).astype(np.float64, copy=False)
        return histogram


def _sum_above(histogram: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each position the sum over the bins above it: what stopping them is worth."""
    total = np.zeros(len(histogram))
    total[:-1] = np.cumsum(histogram[:0:-1])[::-1]
    return total
