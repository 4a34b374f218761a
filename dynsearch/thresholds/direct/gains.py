"""What moving one threshold would change, with all others held.

The value of a policy is a sum over videos, so the gain of every position of one threshold is one
histogram over the videos that reach its exit and one cumulative sum: O(N) for all positions.

An *outcome* is where a video would stop and whether it is right there: 2 * exit + right. Masks over videos
are random to the processor, so they are multiplied in, never branched on.

Shapes: E exits, N videos, P = bins + 1 positions of a threshold.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynsearch.thresholds.direct.bins import Bins, Positions
from dynsearch.thresholds.direct.smoothing import smoothed


class Value(NamedTuple):
    """Mean accuracy (0..1) and mean cost of a policy."""

    accuracy: float
    cost: float


class Changes(NamedTuple):
    """What each of the (E - 1, P) one-threshold changes adds, as means over videos."""

    accuracy: NDArray[np.float64]
    cost: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Gains:
    """A threshold problem: who is right where, at what cost, and how sure.

    Args:
        bins: Bin numbers of every exit but the last.
        correct_EN: Whether each exit is right.
        cost_E: Cumulative cost of each exit.
        width: Of the smoothing of accuracy gains, in bins; 1 is none. Cost gains are never smoothed.
    """

    bins: Bins
    correct_EN: NDArray[np.bool_]
    cost_E: NDArray[np.float64]
    width: int
    _outcome_EN: NDArray[Any] = field(init=False, repr=False)
    _key_EN: NDArray[np.intp] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        num_exits, num_positions = self.correct_EN.shape[0], self.bins.num_bins + 1
        outcome_E1 = 2 * np.arange(num_exits, dtype=np.min_scalar_type(2 * num_exits))[:, None]
        object.__setattr__(self, "_outcome_EN", outcome_E1 + self.correct_EN)
        # The place of each video in a histogram over (right here, bin).
        object.__setattr__(self, "_key_EN", num_positions * self.correct_EN[:-1] + self.bins.codes)

    @property
    def num_videos(self) -> int:
        """N."""
        return self.correct_EN.shape[1]

    @property
    def num_thresholds(self) -> int:
        """E - 1: the last exit takes everything."""
        return len(self.cost_E) - 1

    def value(self, positions: Positions) -> Value:
        """Return accuracy and cost of a policy, not smoothed."""
        counts_E2 = self._counts(positions)
        right, count_E = counts_E2[:, 1].sum(), counts_E2.sum(axis=1)
        return Value(float(right / self.num_videos), float(count_E @ self.cost_E / self.num_videos))

    def used_exits(self, policies: Iterable[Positions], least_share: float) -> set[int]:
        """Return the exits at which more than ``least_share`` of the videos stop under some policy."""
        used: set[int] = set()
        for positions in policies:
            count_E = self._counts(positions).sum(axis=1)
            used.update(np.flatnonzero(count_E > least_share * self.num_videos).tolist())
        return used

    def ascend(self, price: float, positions: Positions, max_sweeps: int = 8) -> Positions:
        """Return positions of locally largest accuracy - ``price`` * cost, by coordinate ascent.

        Each sweep passes over all thresholds, last exit to first; it ends earlier when none moves.
        """
        current = list(positions)
        for _ in range(max_sweeps):
            before = tuple(current)
            reach = self._reach(current)
            outcome_N = self._outcome_EN[-1].copy()
            for k in range(self.num_thresholds - 1, -1, -1):
                accuracy, cost = self._histograms(k, reach[k], outcome_N)
                gain = sum_above(smoothed(accuracy, self.width) - price * cost)
                best = int(gain.argmax())
                if gain[best] > gain[current[k]] + 1e-9:
                    current[k] = best
                self._stop(k, current[k], outcome_N)
            if tuple(current) == before:
                break
        return tuple(current)

    def changes(self, positions: Positions) -> Changes:
        """Return what every change of one threshold adds to accuracy (smoothed) and cost (exact)."""
        histograms = np.empty((2, self.num_thresholds, self.bins.num_bins + 1))
        reach = self._reach(positions)
        outcome_N = self._outcome_EN[-1].copy()
        for k in range(self.num_thresholds - 1, -1, -1):
            histograms[:, k] = self._histograms(k, reach[k], outcome_N)
            self._stop(k, positions[k], outcome_N)
        histograms[0] = smoothed(histograms[0], self.width)
        gain = sum_above(histograms)
        gain -= np.take_along_axis(gain, np.array(positions, dtype=np.intp)[None, :, None], axis=2)
        gain /= self.num_videos
        return Changes(gain[0], gain[1])

    def _counts(self, positions: Positions) -> NDArray[np.intp]:
        """Return (E, 2): how many videos stop at each exit wrong and right."""
        outcome_N = self._outcome_EN[-1].copy()
        for k in range(self.num_thresholds - 1, -1, -1):
            self._stop(k, positions[k], outcome_N)
        return np.bincount(outcome_N, minlength=2 * len(self.cost_E)).reshape(-1, 2)

    def _reach(self, positions: Positions | list[int]) -> list[NDArray[np.bool_]]:
        reach = [np.ones(self.num_videos, dtype=bool)]
        for k in range(self.num_thresholds - 1):
            reach.append(reach[-1] & (self.bins.codes[k] <= positions[k]))
        return reach

    def _stop(self, k: int, position: int, outcome_N: NDArray[Any]) -> None:
        """Turn the outcomes after exit k into those from exit k on, in place."""
        stops_N = self.bins.codes[k] > position
        # Exclusive or twice is no change: the outcomes at exit k where videos stop, the later ones elsewhere.
        change_N = outcome_N ^ self._outcome_EN[k]
        change_N *= stops_N
        outcome_N ^= change_N

    def _histograms(self, k: int, reach_N: NDArray[np.bool_], outcome_N: NDArray[Any]) -> NDArray[np.float64]:
        """Return (2, P): right answers won, and cost added, in each bin by stopping there at exit k.

        Of videos that reach it, and their outcome if they went on. Bin 0 is not meant to be read: it holds the others
        too.
        """
        first, num_positions = 2 * (k + 1), self.bins.num_bins + 1
        here_N = self._key_EN[k]
        few = 2 * np.count_nonzero(reach_N) < self.num_videos
        if few:
            reaching = np.flatnonzero(reach_N)
            here_N, outcome_N = here_N[reaching], outcome_N[reaching]
        key_N = np.multiply(outcome_N - first, 2 * num_positions, dtype=np.intp)
        key_N += here_N
        if not few:
            key_N *= reach_N
        outcome_R = np.arange(first, 2 * len(self.cost_E))
        counts = np.bincount(key_N, minlength=2 * num_positions * len(outcome_R))
        right_here_R2 = np.arange(2) - (outcome_R % 2)[:, None]
        cost_here_R2 = np.repeat((self.cost_E[k] - self.cost_E[outcome_R // 2])[:, None], 2, axis=1)
        worth = np.stack([right_here_R2.ravel(), cost_here_R2.ravel()])
        result: NDArray[np.float64] = worth @ counts.reshape(-1, num_positions).astype(np.float64)
        return result


def sum_above(histogram: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each position (last axis) the sum over the bins above it: what stopping them is worth."""
    total = np.zeros_like(histogram)
    total[..., :-1] = np.cumsum(histogram[..., :0:-1], axis=-1)[..., ::-1]
    return total
