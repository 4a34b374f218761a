"""The best policy found in each slot of the cost axis.

Prices reach only the upper hull; between its points, one-threshold changes of good policies fill in.

Shapes: S slots, E exits, X exits whose thresholds may move, P positions of a threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.thresholds.direct.bins import Positions
from dynsearch.thresholds.direct.gains import Gains, Value

_ROUNDING = 1e-12


class Archive:
    """Keeps, for each of ``num_slots`` equal parts of the cost axis, the most accurate policy offered.

    Args:
        gains: The problem.
        num_slots: S.
        exits: The exits whose thresholds may be moved. Others would only serve to fill a slot.
    """

    def __init__(self, gains: Gains, num_slots: int, exits: Sequence[int]) -> None:
        self._gains = gains
        self._exits = np.array(exits, dtype=np.intp)
        self._cheapest = float(gains.cost_E[0])
        span = float(gains.cost_E[-1] - gains.cost_E[0])
        self._slots_per_cost = (num_slots - 1) / span if span > 0 else 0.0
        self._accuracy_S = np.full(num_slots, -np.inf)
        self._cost_S = np.full(num_slots, np.inf)
        self._positions_SE = np.zeros((num_slots, gains.num_thresholds), dtype=np.intp)
        self._expanded_S = np.zeros(num_slots, dtype=bool)

    def offer(self, positions: Positions, value: Value) -> None:
        """Keep a policy where it is the most accurate of its slot."""
        (slot,) = self._slots(np.array([value.cost]))
        if value.accuracy > self._accuracy_S[slot] + _ROUNDING:
            self._keep(np.array([slot]), value.accuracy, value.cost, np.array([positions], dtype=np.intp))

    def expand(self, max_members: int) -> None:
        """Offer all one-threshold changes of up to ``max_members`` members not yet expanded."""
        members = self._rising()
        members = members[~self._expanded_S[members]]
        if len(members) > max_members:
            members = members[np.linspace(0, len(members) - 1, max_members).round().astype(int)]
        for slot in members:
            self._expanded_S[slot] = True
            self._offer_changes(self._positions_SE[slot].copy(), self._accuracy_S[slot], self._cost_S[slot])

    def members(self) -> list[Positions]:
        """Return the policies that no cheaper member beats, from cheap to dear."""
        return [tuple(row) for row in self._positions_SE[self._rising()].tolist()]

    def _rising(self) -> NDArray[np.intp]:
        taken = np.flatnonzero(self._accuracy_S > -np.inf)
        best_before = np.maximum.accumulate(np.append(-np.inf, self._accuracy_S[taken]))[:-1]
        return taken[self._accuracy_S[taken] > best_before]

    def _offer_changes(self, positions: NDArray[np.intp], accuracy: float, cost: float) -> None:
        """Offer every change of one threshold of a policy worth ``accuracy`` at ``cost``."""
        changes = self._gains.changes(tuple(positions.tolist()))
        accuracy_XP = accuracy + changes.accuracy[self._exits]
        cost_XP = cost + changes.cost[self._exits]
        slots_XP = self._slots(cost_XP)
        better = np.flatnonzero(accuracy_XP > self._accuracy_S[slots_XP] + _ROUNDING)
        # Written from worst to best, so that the best of each slot stays.
        order = better[np.lexsort((-cost_XP.flat[better], accuracy_XP.flat[better]))]
        exit_index, position = np.divmod(order, accuracy_XP.shape[1])
        moved = np.repeat(positions[None], len(order), axis=0)
        moved[np.arange(len(order)), self._exits[exit_index]] = position
        self._keep(slots_XP.flat[order], accuracy_XP.flat[order], cost_XP.flat[order], moved)

    def _keep(self, slots: NDArray[np.intp], accuracy: Any, cost: Any, positions: NDArray[np.intp]) -> None:
        self._accuracy_S[slots] = accuracy
        self._cost_S[slots] = cost
        self._positions_SE[slots] = positions
        self._expanded_S[slots] = False

    def _slots(self, cost: NDArray[np.float64]) -> NDArray[np.intp]:
        slots = ((cost - self._cheapest) * self._slots_per_cost).astype(np.intp)
        return np.clip(slots, 0, len(self._accuracy_S) - 1)
