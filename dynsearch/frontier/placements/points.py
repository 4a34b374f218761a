"""What a search for exit placements finds: placements with thresholds that no other beats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dynsearch.frontier.frontier import Frontier, Points
from dynsearch.plan import ExitPlacement
from dynsearch.thresholds import OperatingPoint


@dataclass(frozen=True)
class Expected:
    """What to expect on new videos of what the search finds for a budget: cross-fitted.

    Args:
        top1: Share of right answers on videos that neither placement nor thresholds were chosen on.
        cost: Their mean cost; it can exceed the budget a little.
    """

    top1: float
    cost: float


@dataclass(frozen=True)
class PlacementPoint:
    """A placement with thresholds, measured on the videos it was chosen on.

    Args:
        placement: Where the exits sit.
        chosen: The policy, with its accuracy and cost there; optimistic.
        expected: What the search is worth on new videos at this cost; None where it was not asked for.
    """

    placement: ExitPlacement
    chosen: OperatingPoint
    expected: Expected | None = None

    @property
    def thresholds(self) -> tuple[float, ...]:
        """T_k of every exit."""
        return self.chosen.thresholds

    @property
    def top1(self) -> float:
        """Share of right answers on the videos it was chosen on (0..1)."""
        return self.chosen.top1

    @property
    def cost(self) -> float:
        """Mean cost per video on the videos it was chosen on."""
        return self.chosen.cost

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON and tables."""
        values = {"exits": [str(exit_) for exit_ in self.placement.exits]} | self.chosen.to_dict()
        if self.expected is None:
            return values
        return values | {
            "expected_top1": self.expected.top1,
            f"expected_{self.chosen.measure.name}": self.expected.cost,
        }


class PlacementFrontier(Points[PlacementPoint]):
    """Non-dominated placements with thresholds, found under a frame order; ``cost`` and ``top1`` rise strictly.

    Dominated and repeated points are dropped.

    Raises:
        InputError: There are no points.
    """

    def __init__(self, points: Iterable[PlacementPoint], order: str = "") -> None:
        by_chosen = {id(point.chosen): point for point in points}
        self.order = order
        self.curve = Frontier(point.chosen for point in by_chosen.values())
        self._points = [by_chosen[id(chosen)] for chosen in self.curve]

    def __repr__(self) -> str:
        return f"PlacementFrontier({len(self.placements)} placements, {self.curve!r})"

    @property
    def placements(self) -> tuple[ExitPlacement, ...]:
        """The different placements, in the order of the cheapest point of each."""
        return tuple(dict.fromkeys(point.placement for point in self._points))

    def best_under(self, budget: float) -> PlacementPoint:
        """Return the most accurate point that costs at most ``budget``; errors as of :meth:`Frontier.best_under`."""
        best = self.curve.best_under(budget)
        return next(point for point in self._points if point.chosen is best)

    def thin(self, num_points: int) -> PlacementFrontier:
        """Return at most ``num_points`` points; see :meth:`Frontier.thin`."""
        kept = {id(chosen) for chosen in self.curve.thin(num_points)}
        return PlacementFrontier([p for p in self._points if id(p.chosen) in kept], self.order)
