"""What moving one threshold would change, with all others held.

The value of a policy is a sum over videos, so the gain of every position of one threshold is one
histogram over the videos that reach its exit and one cumulative sum: O(N) for all positions.

Shapes: E exits, N videos, P = bins + 1 positions of a threshold.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynsearch.scores.stop_rule import stops_above
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
    """A threshold problem: how likely each exit is right, at what cost, and how sure it is.

    Args:
        bins: Bin numbers of every exit but the last.
        right_EN: Whether each exit is right, or how likely that is.
        cost_E: Cumulative cost of each exit.
        width: Of the smoothing of accuracy gains, in bins; 1 is none. Cost gains are never smoothed.
    """

    bins: Bins
    right_EN: NDArray[Any]
    cost_E: NDArray[np.float64]
    width: int
    _worth_E2N: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        cost_EN = np.broadcast_to(self.cost_E[:, None], self.right_EN.shape)
        object.__setattr__(self, "_worth_E2N", np.stack([self.right_EN, cost_EN], axis=1).astype(np.float64))

    @property
    def num_videos(self) -> int:
        """N."""
        return self.right_EN.shape[1]

    @property
    def num_thresholds(self) -> int:
        """E - 1: the last exit takes everything."""
        return len(self.cost_E) - 1

    def value(self, positions: Positions) -> Value:
        """Return accuracy and cost of a policy, not smoothed."""
        worth_2N = self._worth_E2N[-1]
        for k in range(self.num_thresholds - 1, -1, -1):
            worth_2N = self._worth_from(k, positions[k], worth_2N)
        return Value(*worth_2N.mean(axis=1).tolist())

    def used_exits(self, policies: Iterable[Positions], least_share: float) -> set[int]:
        """Return the exits at which more than ``least_share`` of the videos stop under some policy."""
        used: set[int] = set()
        for positions in policies:
            share_E = [stops_N.mean() for stops_N in stops_above(self.bins.codes, positions)]
            used.update(np.flatnonzero(np.array(share_E) > least_share).tolist())
        return used

    def ascend(self, price: float, positions: Positions, max_sweeps: int = 8) -> Positions:
        """Return positions of locally largest accuracy - ``price`` * cost, by coordinate ascent.

        Each sweep passes over all thresholds, last exit to first; it ends earlier when none moves.
        """
        current = list(positions)
        for _ in range(max_sweeps):
            before = tuple(current)
            reach = self._reach(current)
            worth_2N = self._worth_E2N[-1]
            for k in range(self.num_thresholds - 1, -1, -1):
                accuracy, cost = self._histograms(k, reach[k], worth_2N)
                gain = sum_above(smoothed(accuracy, self.width) - price * cost)
                best = int(gain.argmax())
                if gain[best] > gain[current[k]] + 1e-9:
                    current[k] = best
                worth_2N = self._worth_from(k, current[k], worth_2N)
            if tuple(current) == before:
                break
        return tuple(current)

    def changes(self, positions: Positions) -> Changes:
        """Return what every change of one threshold adds to accuracy (smoothed) and cost (exact)."""
        histograms = np.empty((2, self.num_thresholds, self.bins.num_bins + 1))
        reach = self._reach(positions)
        worth_2N = self._worth_E2N[-1]
        for k in range(self.num_thresholds - 1, -1, -1):
            histograms[:, k] = self._histograms(k, reach[k], worth_2N)
            worth_2N = self._worth_from(k, positions[k], worth_2N)
        histograms[0] = smoothed(histograms[0], self.width)
        gain = sum_above(histograms)
        gain -= np.take_along_axis(gain, np.array(positions, dtype=np.intp)[None, :, None], axis=2)
        gain /= self.num_videos
        return Changes(gain[0], gain[1])

    def _reach(self, positions: Positions | list[int]) -> list[NDArray[np.bool_]]:
        reach = [np.ones(self.num_videos, dtype=bool)]
        for k in range(self.num_thresholds - 1):
            reach.append(reach[-1] & (self.bins.codes[k] <= positions[k]))
        return reach

    def _worth_from(self, k: int, position: int, later_2N: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what videos are worth from exit k on, where they are worth ``later_2N`` after it."""
        worth: NDArray[np.float64] = np.where(self.bins.codes[k] > position, self._worth_E2N[k], later_2N)
        return worth

    def _histograms(
        self, k: int, reach_N: NDArray[np.bool_], later_2N: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return (2, P): right answers won, and cost added, in each bin by stopping there at exit k.

        Of videos that reach it, and are worth ``later_2N`` if they go on; those with bin 0 never stop.
        """
        reaching = np.flatnonzero(reach_N)
        key_R, count = self.bins.codes[k].take(reaching).astype(np.intp), self.bins.num_bins + 1
        won_2R = (
            here_N.take(reaching) - later_N.take(reaching)
            for here_N, later_N in zip(self._worth_E2N[k], later_2N, strict=True)
        )
        return np.stack([np.bincount(key_R, won_R, count) for won_R in won_2R])


def sum_above(histogram: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each position (last axis) the sum over the bins above it: what stopping them is worth."""
    total = np.zeros_like(histogram)
    total[..., :-1] = np.cumsum(histogram[..., :0:-1], axis=-1)[..., ::-1]
    return total
