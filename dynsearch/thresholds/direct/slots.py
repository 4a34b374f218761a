"""What no cheaper one matches, and the best found in each of equal parts of a cost axis.

Shapes: N things of a cost and a value, S slots.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-12


def rising(cost_N: NDArray[Any], value_N: NDArray[Any]) -> NDArray[np.intp]:
    """Return the places of the things that no cheaper one matches, from cheap to dear."""
    order = np.lexsort((-value_N, cost_N))
    best_before = np.maximum.accumulate(np.append(-np.inf, value_N[order]))[:-1]
    return order[value_N[order] > best_before]


class Slots:
    """Equal parts of the cost axis, and the accuracy of the best that is kept in each.

    What is kept is for whoever has these slots to hold.
    """

    def __init__(self, num_slots: int, cheapest: float, dearest: float) -> None:
        self._cheapest, span = cheapest, dearest - cheapest
        self._per_cost = (num_slots - 1) / span if span > 0 else 0.0
        self.accuracy_S = np.full(num_slots, -np.inf)
        self._expanded_S = np.zeros(num_slots, dtype=bool)

    def of(self, cost: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the slot of each cost."""
        slots = ((cost - self._cheapest) * self._per_cost).astype(np.intp)
        return np.clip(slots, 0, len(self.accuracy_S) - 1)

    def beaten(self, slots: NDArray[np.intp], accuracy: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the places, counted flat, where something more accurate is offered than the slot keeps."""
        return np.flatnonzero(accuracy > self.accuracy_S[slots] + _ROUNDING)

    def fill(self, slots: Any, accuracy: Any) -> None:
        """Keep something new in some slots."""
        self.accuracy_S[slots] = accuracy
        self._expanded_S[slots] = False

    def members(self) -> NDArray[np.intp]:
        """Return the slots whose accuracy no cheaper slot reaches, from cheap to dear."""
        return rising(np.arange(len(self.accuracy_S)), self.accuracy_S)

    def expanded(self, max_members: int) -> Iterator[int]:
        """Yield up to ``max_members`` members not yet expanded since they were filled, and count each as that."""
        members = self.members()
        members = members[~self._expanded_S[members]]
        if len(members) > max_members:
            members = members[np.linspace(0, len(members) - 1, max_members).round().astype(int)]
        for slot in members.tolist():
            self._expanded_S[slot] = True
            yield slot
