"""The best chain found in each slot of the cost axis, improved by changing one exit at a time.

Shapes: S slots, X cells tried, P positions of a threshold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dynsearch.frontier.placements.cells import Cells, Chain
from dynsearch.frontier.placements.moves import Moves, Offers

_ROUNDING = 1e-12


class ChainArchive:
    """Keeps, for each of ``num_slots`` equal parts of the cost axis, the most accurate chain offered.

    Args:
        cells: The problem.
        num_slots: S.
        width: Of the smoothing of accuracy over positions, in bins.
    """

    def __init__(self, cells: Cells, num_slots: int, width: int) -> None:
        self._cells, self._width = cells, width
        self._cheapest, dearest = cells.steps.limits(cells.rules.max_exits)
        span = dearest - self._cheapest
        self._slots_per_cost = (num_slots - 1) / span if span > 0 else 0.0
        self._accuracy_S = np.full(num_slots, -np.inf)
        self._chain_S: list[Chain | None] = [None] * num_slots
        self._expanded_S = np.zeros(num_slots, dtype=bool)

    def offer(self, chain: Chain) -> None:
        """Keep a chain where it is the most accurate of its slot."""
        accuracy, cost = Moves(self._cells, chain, self._width).value
        self._keep(Offers(np.array([[accuracy]]), np.array([[cost]]), lambda x, position: chain))

    def expand(self, max_members: int) -> int:
        """Offer all one-exit changes of up to ``max_members`` members not yet expanded; return how many were."""
        members = self._rising()
        members = members[~self._expanded_S[members]]
        if len(members) > max_members:
            members = members[np.linspace(0, len(members) - 1, max_members).round().astype(int)]
        for slot in members:
            chain = self._chain_S[slot]
            if chain is not None and not self._expanded_S[slot]:
                self._expanded_S[slot] = True
                for offers in Moves(self._cells, chain, self._width).offers():
                    self._keep(offers)
        return len(members)

    def members(self) -> list[Chain]:
        """Return the chains that no cheaper member beats, from cheap to dear."""
        return [chain for slot in self._rising() if (chain := self._chain_S[slot]) is not None]

    def _rising(self) -> NDArray[np.intp]:
        taken = np.flatnonzero(self._accuracy_S > -np.inf)
        best_before = np.maximum.accumulate(np.append(-np.inf, self._accuracy_S[taken]))[:-1]
        return taken[self._accuracy_S[taken] > best_before]

    def _keep(self, offers: Offers) -> None:
        accuracy_XP, cost_XP = offers.accuracy_XP, offers.cost_XP
        slots_XP = ((cost_XP - self._cheapest) * self._slots_per_cost).astype(np.intp)
        np.clip(slots_XP, 0, len(self._accuracy_S) - 1, out=slots_XP)
        better = np.flatnonzero(accuracy_XP > self._accuracy_S[slots_XP] + _ROUNDING)
        if len(better) == 0:
            return
        slots = slots_XP.flat[better]
        # The best of each slot, the cheapest of equals.
        order = np.lexsort((cost_XP.flat[better], -accuracy_XP.flat[better], slots))
        first = order[np.flatnonzero(np.diff(slots[order], prepend=-1))]
        for place in better[first]:
            slot = slots_XP.flat[place]
            self._accuracy_S[slot] = accuracy_XP.flat[place]
            self._chain_S[slot] = offers.chain(*map(int, np.divmod(place, accuracy_XP.shape[1])))
            self._expanded_S[slot] = False
