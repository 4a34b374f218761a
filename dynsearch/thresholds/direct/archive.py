"""The best policy found in each slot of the cost axis.

Prices reach only the upper hull; between its points, one-threshold changes of good policies fill in.

Shapes: S slots, E exits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dynsearch.thresholds.direct.bins import Positions
from dynsearch.thresholds.direct.gains import Gains, Value


class Archive:
    """Keeps, for each of ``num_slots`` equal parts of the cost axis, the most accurate policy offered.

    Args:
        gains: The problem.
        num_slots: S.
        exits: The exits whose thresholds may be moved. Others would only serve to fill a slot.
    """

    def __init__(self, gains: Gains, num_slots: int, exits: Sequence[int]) -> None:
        self._gains = gains
        self._exits = tuple(exits)
        self._cheapest = float(gains.gmacs_E[0])
        span = float(gains.gmacs_E[-1] - gains.gmacs_E[0])
        self._slots_per_gflop = (num_slots - 1) / span if span > 0 else 0.0
        self._accuracy_S = np.full(num_slots, -np.inf)
        self._gflops_S = np.full(num_slots, np.inf)
        self._positions_SE = np.zeros((num_slots, gains.num_thresholds), dtype=np.intp)
        self._expanded_S = np.zeros(num_slots, dtype=bool)

    def offer(self, positions: Positions, value: Value) -> None:
        """Keep a policy where it is the most accurate of its slot."""
        self._offer(
            np.array([value.accuracy]), np.array([value.gflops]), np.array([positions], dtype=np.intp)
        )

    def expand(self, max_members: int) -> None:
        """Offer all one-threshold changes of up to ``max_members`` members not yet expanded."""
        members = self._rising()
        members = members[~self._expanded_S[members]]
        if len(members) > max_members:
            members = members[np.linspace(0, len(members) - 1, max_members).round().astype(int)]
        num_positions = self._gains.bins.num_bins + 1
        for slot in members:
            positions = self._positions_SE[slot].copy()
            accuracy, gflops = self._accuracy_S[slot], self._gflops_S[slot]
            self._expanded_S[slot] = True
            changes = self._gains.changes(tuple(positions.tolist()))
            for k in self._exits:
                moved = np.repeat(positions[None], num_positions, axis=0)
                moved[:, k] = np.arange(num_positions)
                self._offer(accuracy + changes.accuracy[k], gflops + changes.gflops[k], moved)

    def members(self) -> list[Positions]:
        """Return the policies that no cheaper member beats, from cheap to dear."""
        return [tuple(row) for row in self._positions_SE[self._rising()].tolist()]

    def _rising(self) -> NDArray[np.intp]:
        taken = np.flatnonzero(self._accuracy_S > -np.inf)
        best_before = np.maximum.accumulate(np.append(-np.inf, self._accuracy_S[taken]))[:-1]
        return taken[self._accuracy_S[taken] > best_before]

    def _offer(
        self, accuracy: NDArray[np.float64], gflops: NDArray[np.float64], positions: NDArray[np.intp]
    ) -> None:
        slots = ((gflops - self._cheapest) * self._slots_per_gflop).astype(np.intp)
        slots = np.clip(slots, 0, len(self._accuracy_S) - 1)
        better = np.flatnonzero(accuracy > self._accuracy_S[slots] + 1e-12)
        if better.size == 0:
            return
        # Written from worst to best, so that the best of each slot stays.
        order = better[np.lexsort((-gflops[better], accuracy[better]))]
        slots = slots[order]
        self._accuracy_S[slots] = accuracy[order]
        self._gflops_S[slots] = gflops[order]
        self._positions_SE[slots] = positions[order]
        self._expanded_S[slots] = False
