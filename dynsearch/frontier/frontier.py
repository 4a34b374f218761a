"""Frontier: the non-dominated operating points, from the cheapest to the most accurate."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar, overload

import numpy as np

from dynsearch.budget import last_that_fits
from dynsearch.errors import InputError
from dynsearch.frontier.dominance import hypervolume, pareto_mask
from dynsearch.measures import one_measure
from dynsearch.scores import ExitScores
from dynsearch.thresholds import OperatingPoint
from dynsearch.thresholds.operating_point import evaluate_points

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

Point = TypeVar("Point")


class Points(Sequence[Point]):
    """Points in a row, the cheapest first."""

    _points: list[Point]

    def __len__(self) -> int:
        return len(self._points)

    def __iter__(self) -> Iterator[Point]:
        return iter(self._points)

    @overload
    def __getitem__(self, index: int) -> Point: ...
    @overload
    def __getitem__(self, index: slice) -> list[Point]: ...
    def __getitem__(self, index: int | slice) -> Point | list[Point]:
        return self._points[index]


class Frontier(Points[OperatingPoint]):
    """Non-dominated operating points; both ``cost`` and ``worth`` rise strictly from one to the next.

    Attributes:
        measure: What the costs are in.
        candidates: All points that it was made of.

    Args:
        points: Any operating points, at least one; dominated and repeated ones are dropped.

    Raises:
        InputError: There are no points, or their costs are in several measures.
    """

    def __init__(self, points: Iterable[OperatingPoint]) -> None:
        self.candidates = candidates = list(points)
        if not candidates:
            raise InputError("a frontier needs at least one operating point, got none")
        self.measure = one_measure(candidates)
        mask = pareto_mask([p.cost for p in candidates], [p.worth for p in candidates])
        kept = sorted(
            (point for point, keep in zip(candidates, mask, strict=True) if keep), key=lambda p: p.cost
        )
        self._points = [point for i, point in enumerate(kept) if i == 0 or point.cost > kept[i - 1].cost]

    def __repr__(self) -> str:
        first, last = self._points[0], self._points[-1]
        return (
            f"Frontier({len(self)} points, {first.cost:.4g} to {last.cost:.4g} {self.measure.unit},"
            f" top-1 {first.worth:.4f} to {last.worth:.4f})"
        )

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row for each point: what it costs and achieves, its thresholds, and where videos stop."""
        import pandas

        return pandas.DataFrame([point.to_row() for point in self._points])

    def plot(self, axes: Axes | None = None, *, budget: float | None = None) -> Axes:
        """Draw top-1 against cost on ``axes`` or a new figure, and ``budget`` with the point best under it."""
        from dynsearch.display.curves import Curve, plot_curves

        curve = Curve("frontier", [p.cost for p in self._points], [p.worth for p in self._points])
        point = None if budget is None else self.best_under(budget)
        chosen = None if point is None else (point.cost, point.worth)
        return plot_curves([curve], axes, unit=self.measure, chosen=chosen, budget=budget)

    def _repr_html_(self) -> str:
        from dynsearch.display.notebook import page

        return page(repr(self), table=self.to_pandas())

    def best_under(
        self, budget: float | None = None, *, max_gflops: float | None = None, max_ms: float | None = None
    ) -> OperatingPoint:
        """Return the point of most ``worth`` whose mean cost is at most ``budget``, also spelled by its measure.

        Raises:
            InputError: ``budget`` is not a number, or is in another measure.
            InfeasibleBudgetError: It is below the cheapest point; the error carries that cost.
        """
        budget = self.measure.one_budget(budget, max_gflops=max_gflops, max_ms=max_ms)
        if not isinstance(budget, int | float | np.number) or math.isnan(budget):
            raise InputError(
                f"{self.measure.budget_name} must be a number of {self.measure.per_video}, got {budget!r}"
            )
        return last_that_fits(self._points, budget, lambda point: point.cost, self.measure)

    def thin(self, num_points: int) -> Frontier:
        """Return at most ``num_points`` points: both ends, the others spread evenly over the cost axis.

        Raises:
            InputError: ``num_points`` is below 2 for a frontier of more than one point.
        """
        if num_points >= len(self):
            return self
        if num_points < 2:
            raise InputError(f"num_points must be at least 2, to keep both ends, got {num_points}")
        costs = np.array([point.cost for point in self._points])
        targets = np.linspace(costs[0], costs[-1], num_points)
        chosen = [0]
        for rank, target in enumerate(targets[1:-1], start=1):
            # Leave enough points on the right for the targets still to come.
            first, last = chosen[-1] + 1, len(self) - (num_points - rank)
            chosen.append(first + int(np.abs(costs[first : last + 1] - target).argmin()))
        chosen.append(len(self) - 1)
        return Frontier(self._points[i] for i in chosen)

    def evaluate(self, scores: ExitScores) -> list[OperatingPoint]:
        """Return every point's policy measured on other scores; InputError for costs in another measure."""
        return evaluate_points(self, scores)

    def hypervolume(self, *, reference_cost: float) -> float:
        """Return the area under the frontier, in cost times fraction."""
        return hypervolume(
            [point.cost for point in self._points],
            [point.worth for point in self._points],
            reference_cost=reference_cost,
        )
