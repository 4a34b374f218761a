"""The best policy found in each slot of the cost axis.

Prices reach only the upper hull; between its points, one-threshold changes of good policies fill in.

Shapes: S slots, E exits, X exits whose thresholds may move, P positions of a threshold.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.thresholds.direct.bins import Positions
from dynsearch.thresholds.direct.gains import Gains, Value
from dynsearch.thresholds.direct.slots import Slots


class Archive:
    """Keeps, for each of ``num_slots`` equal parts of the cost axis, the most accurate policy offered.

    Only thresholds of ``exits`` may be moved; others would only serve to fill a slot.
    """

    def __init__(self, gains: Gains, num_slots: int, exits: Sequence[int]) -> None:
        self._gains = gains
        self._exits = np.array(exits, dtype=np.intp)
        self._slots = Slots(num_slots, float(gains.cost_E[0]), float(gains.cost_E[-1]))
        self._cost_S = np.full(num_slots, np.inf)
        self._positions_SE = np.zeros((num_slots, gains.num_thresholds), dtype=np.intp)

    def offer(self, positions: Positions, value: Value) -> None:
        """Keep a policy where it is the most accurate of its slot."""
        slots = self._slots.of(np.array([value.cost]))
        if len(self._slots.beaten(slots, np.array([value.accuracy]))):
            self._keep(slots, value.accuracy, value.cost, np.array([positions], dtype=np.intp))

    def expand(self, max_members: int) -> None:
        """Offer all one-threshold changes of up to ``max_members`` members not yet expanded."""
        for slot in self._slots.expanded(max_members):
            self._offer_changes(
                self._positions_SE[slot].copy(), self._slots.accuracy_S[slot], self._cost_S[slot]
            )

    def members(self) -> list[Positions]:
        """Return the policies that no cheaper member beats, from cheap to dear."""
        return [tuple(row) for row in self._positions_SE[self._slots.members()].tolist()]

    def _offer_changes(self, positions: NDArray[np.intp], accuracy: float, cost: float) -> None:
        changes = self._gains.changes(tuple(positions.tolist()))
        accuracy_XP = accuracy + changes.accuracy[self._exits]
        cost_XP = cost + changes.cost[self._exits]
        slots_XP = self._slots.of(cost_XP)
        better = self._slots.beaten(slots_XP, accuracy_XP)
        # Written from worst to best, so that the best of each slot stays.
        order = better[np.lexsort((-cost_XP.flat[better], accuracy_XP.flat[better]))]
        exit_index, position = np.divmod(order, accuracy_XP.shape[1])
        moved = np.repeat(positions[None], len(order), axis=0)
        moved[np.arange(len(order)), self._exits[exit_index]] = position
        self._keep(slots_XP.flat[order], accuracy_XP.flat[order], cost_XP.flat[order], moved)

    def _keep(self, slots: NDArray[np.intp], accuracy: Any, cost: Any, positions: NDArray[np.intp]) -> None:
        self._slots.fill(slots, accuracy)
        self._cost_S[slots] = cost
        self._positions_SE[slots] = positions
