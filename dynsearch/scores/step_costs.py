"""What it costs a video to go from one exit to the next, for every two cells of a grid.

The cost of a placement is the sum of its steps. Counted operations are rectangles of cells plus the heads on the way;
measured time is not: few frames are dearer by the frame than many, and starting again costs too. So either is a
value, and the searches ask for nothing but steps.

Shapes: S frame sets, M depth stages, C = S * M cells by sets and then depth, E exits, X cells tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dynsearch.measures import COUNTED, MACS_PER_UNIT, CostMeasure


class StepCosts(Protocol):
    """The cost of every step: from a cell, or from nothing (None), to a cell, the head there included."""

    @property
    def num_cells(self) -> int:
        """C."""
        ...

    @property
    def measure(self) -> CostMeasure:
        """What the costs are in."""
        ...

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """(C + 1, C): whether a step has a cost; row 0 is from nothing, row c + 1 from cell c."""
        ...

    def cost_E(self, cells: Sequence[int]) -> NDArray[np.float64]:
        """Return the cumulative cost at each exit of a placement, all of whose steps are allowed."""
        ...

    def reach(self, cell: int | None, cost: float, next_X: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the cumulative cost at each of some next cells for a video that left ``cell`` at ``cost``."""
        ...

    def direct(self, before: int | None, after: int) -> float:
        """Return the cost from one cell to another at one step, less what every way between them costs."""
        ...

    def detour(self, before: int | None, via_X: NDArray[np.intp], after: int) -> NDArray[np.float64]:
        """Return the same for the ways with one exit in between, at each of some cells."""
        ...

    def limits(self, max_exits: int) -> tuple[float, float]:
        """Return a cost that no placement is below, and one that none of at most ``max_exits`` exits is above."""
        ...

    def select(self, cells: Sequence[int]) -> Self:
        """Return the steps among some of the cells."""
        ...


@dataclass(frozen=True, eq=False)
class RectangleSteps:
    """Steps that compute what the rectangle of a cell has and that of the one before has not, and a head.

    Args:
        trunk_C: Cost of the rectangle of cells up to each, without heads; positive, falling along neither axis.
        head_C: Cost of using the head of each cell once.
    """

    trunk_C: NDArray[np.float64]
    head_C: NDArray[np.float64]

    @classmethod
    def of(cls, trunk_SM: ArrayLike, head_SM: ArrayLike) -> RectangleSteps:
        """Return the steps of a whole grid."""
        return cls(np.ravel(np.asarray(trunk_SM, np.float64)), np.ravel(np.asarray(head_SM, np.float64)))

    @property
    def num_cells(self) -> int:
        """C."""
        return len(self.trunk_C)

    @property
    def measure(self) -> CostMeasure:
        """Counted: only operations add up so."""
        return COUNTED

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """(C + 1, C): all steps have a cost, if both axes rise."""
        return np.ones((self.num_cells + 1, self.num_cells), dtype=bool)

    def cost_E(self, cells: Sequence[int]) -> NDArray[np.float64]:
        """See ``StepCosts``; whole multiply-accumulates, as in a plan's cost table."""
        chosen = list(cells)
        cost_E = self.trunk_C[chosen] + np.cumsum(self.head_C[chosen])
        return np.asarray(np.rint(cost_E * MACS_PER_UNIT) / MACS_PER_UNIT)

    def reach(self, cell: int | None, cost: float, next_X: NDArray[np.intp]) -> NDArray[np.float64]:
        """See ``StepCosts``."""
        heads = 0.0 if cell is None else cost - self.trunk_C[cell]
        return np.asarray(self.trunk_C[next_X] + heads + self.head_C[next_X])

    def direct(self, before: int | None, after: int) -> float:
        """See ``StepCosts``; every way computes the same rectangle."""
        return 0.0

    def detour(self, before: int | None, via_X: NDArray[np.intp], after: int) -> NDArray[np.float64]:
        """See ``StepCosts``: one head more."""
        return self.head_C[via_X]

    def limits(self, max_exits: int) -> tuple[float, float]:
        """See ``StepCosts``."""
        cost_C = self.trunk_C + self.head_C
        return float(cost_C.min()), float(cost_C.max()) + max_exits * float(self.head_C.max())

    def select(self, cells: Sequence[int]) -> RectangleSteps:
        """See ``StepCosts``."""
        return RectangleSteps(self.trunk_C[list(cells)], self.head_C[list(cells)])


@dataclass(frozen=True, eq=False)
class StepTable:
    """Steps that are given one by one, for instance as measured.

    Args:
        table: (C + 1, C) costs; row 0 is from nothing, row c + 1 from cell c. Infinite where no step may be.
        measure: What they are in.
    """

    table: NDArray[np.float64]
    measure: CostMeasure = COUNTED

    @property
    def num_cells(self) -> int:
        """C."""
        return self.table.shape[1]

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """(C + 1, C): whether a step has a cost."""
        return np.isfinite(self.table)

    def cost_E(self, cells: Sequence[int]) -> NDArray[np.float64]:
        """See ``StepCosts``."""
        rows = [0, *(cell + 1 for cell in cells[:-1])]
        return np.asarray(np.cumsum(self.table[rows, list(cells)]))

    def reach(self, cell: int | None, cost: float, next_X: NDArray[np.intp]) -> NDArray[np.float64]:
        """See ``StepCosts``."""
        return np.asarray((0.0 if cell is None else cost) + self._row(cell)[next_X])

    def direct(self, before: int | None, after: int) -> float:
        """See ``StepCosts``; ways have nothing in common."""
        return float(self._row(before)[after])

    def detour(self, before: int | None, via_X: NDArray[np.intp], after: int) -> NDArray[np.float64]:
        """See ``StepCosts``."""
        return np.asarray(self._row(before)[via_X] + self.table[via_X + 1, after])

    def limits(self, max_exits: int) -> tuple[float, float]:
        """See ``StepCosts``.

        A placement costs the cheapest way to its last cell, and at each step at most what the step exceeds the
        difference of the cheapest ways to its ends by.
        """
        way_C = self.table[0]
        for _ in range(max_exits - 1):
            way_C = np.minimum(way_C, (way_C[:, None] + self.table[1:]).min(axis=0))
        reached_C = np.isfinite(way_C)
        from_1C = np.append(True, reached_C)
        way_C = way_C[reached_C]
        more = np.append(0.0, way_C)[:, None] + self.table[from_1C][:, reached_C] - way_C
        most = float(more[np.isfinite(more)].max(initial=0.0))
        return float(self.table[0].min()), float(way_C.max(initial=0.0)) + max_exits * most

    def select(self, cells: Sequence[int]) -> StepTable:
        """See ``StepCosts``."""
        rows = [0, *(cell + 1 for cell in cells)]
        return StepTable(self.table[np.ix_(rows, list(cells))], self.measure)

    def _row(self, cell: int | None) -> NDArray[np.float64]:
        return self.table[0 if cell is None else cell + 1]
