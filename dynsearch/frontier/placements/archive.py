"""The best chain found in each slot of the cost axis, improved by changing one exit at a time.

Shapes: S slots, X cells tried, P positions of a threshold.
"""

import numpy as np

from dynsearch.frontier.placements.cells import Cells, Chain
from dynsearch.frontier.placements.moves import Moves, Offers
from dynsearch.thresholds.direct.slots import Slots


class ChainArchive:
    """Keeps, for each of ``num_slots`` equal parts of the cost axis, the most accurate chain offered.

    ``width`` is of the smoothing of accuracy over positions, in bins.
    """

    def __init__(self, cells: Cells, num_slots: int, width: int) -> None:
        self._cells, self._width = cells, width
        self._slots = Slots(num_slots, *cells.steps.limits(cells.rules.max_exits))
        self._chain_S: list[Chain | None] = [None] * num_slots

    def offer(self, chain: Chain) -> None:
        """Keep a chain where it is the most accurate of its slot."""
        accuracy, cost = Moves(self._cells, chain, self._width).value
        self._keep(Offers(np.array([[accuracy]]), np.array([[cost]]), lambda x, position: chain))

    def expand(self, max_members: int) -> int:
        """Offer all one-exit changes of up to ``max_members`` members not yet expanded; return how many were."""
        count = 0
        for slot in self._slots.expanded(max_members):
            count += 1
            chain = self._chain_S[slot]
            assert chain is not None
            for offers in Moves(self._cells, chain, self._width).offers():
                self._keep(offers)
        return count

    def members(self) -> list[Chain]:
        """Return the chains that no cheaper member beats, from cheap to dear."""
        return [chain for slot in self._slots.members() if (chain := self._chain_S[slot]) is not None]

    def _keep(self, offers: Offers) -> None:
        accuracy_XP, cost_XP = offers.accuracy_XP, offers.cost_XP
        slots_XP = self._slots.of(cost_XP)
        better = self._slots.beaten(slots_XP, accuracy_XP)
        if len(better) == 0:
            return
        slots = slots_XP.flat[better]
        # The best of each slot, the cheapest of equals.
        order = np.lexsort((cost_XP.flat[better], -accuracy_XP.flat[better], slots))
        first = order[np.flatnonzero(np.diff(slots[order], prepend=-1))]
        for place in better[first]:
            slot = slots_XP.flat[place]
            self._slots.fill(slot, accuracy_XP.flat[place])
            self._chain_S[slot] = offers.chain(*map(int, np.divmod(place, accuracy_XP.shape[1])))
