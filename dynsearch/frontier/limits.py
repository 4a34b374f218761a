"""Bounds besides the budget: thresholds that keep all of them, found by the same solver."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Self

import numpy as np
from scipy.special import betaincinv, ndtri

from dynsearch.budget import fits
from dynsearch.errors import InputError
from dynsearch.frontier.frontier import Frontier
from dynsearch.measures import CostMeasure
from dynsearch.scores import ExitScores
from dynsearch.thresholds import OperatingPoint, always_exit

_WEIGHTS = (0.125, 0.5, 1.0, 2.0, 4.0, 8.0, 32.0, 256.0)


@dataclass(frozen=True)
class Limit:
    """A bound on the mean over videos of what each exit counts, linear in the exit shares as a budget is.

    Attributes:
        measure: What is counted, and how the bound is called.
        cost_E: What a video counts that leaves at each exit; not falling.
        bound: The most that the mean may be.
        budget: Of a share of videos, the cost that they are beyond.
    """

    measure: CostMeasure
    cost_E: tuple[float, ...]
    bound: float
    budget: float | None = None

    @classmethod
    def on_share(cls, measure: CostMeasure, cost_E: Sequence[float], budget: float, share: float) -> Self:
        """Return the bound that at most a share of videos costs more than a budget: leaves beyond the last exit within.

        Raises:
            InfeasibleBudgetError: The first exit costs more.
        """
        beyond_E = tuple(float(not fits(cost, budget)) for cost in cost_E)
        if beyond_E[0]:
            raise measure.too_low(budget, cost_E[0])
        return cls(measure, beyond_E, share, budget)

    def at_most(self, point: OperatingPoint, delta: float) -> float:
        """Return what the mean on new videos is at most, with chance 1 - ``delta``.

        By the central limit theorem; a share of videos by Clopper and Pearson (1934). Where videos come in groups, by
        as many independent ones as would tell as much (Korn and Graubard, 1998): of what no video shows, one a group.
        """
        cost_E, mean = np.array(self.cost_E), self.mean(point)
        count, times = float(point.num_videos), float(ndtri(1 - delta))
        if point.spread is not None:
            wider = point.spread.times(1 - 2 * delta) / times if times > 0 else 1.0
            alike = max(point.spread.shares, 1.0) if mean > 0 else count / point.spread.num_groups
            count /= wider**2 * alike
        if set(self.cost_E) <= {0.0, 1.0}:
            over = mean * count
            return 1.0 if fits(1.0, mean) else float(betaincinv(over + 1, count - over, 1 - delta))
        variance = float(np.dot(point.exit_share, (cost_E - mean) ** 2))
        return mean + times * math.sqrt(max(variance, 0.0) / count)

    def mean(self, point: OperatingPoint) -> float:
        """Return the mean of a point."""
        return float(np.dot(point.exit_share, self.cost_E))

    def said(self, point: OperatingPoint) -> str:
        """Return what a point counts of it, in words."""
        kept = f"{self.measure.budget_name}={self.budget or self.bound:g} is kept on calibration"
        if self.budget is not None:
            return f"{kept}: {100 * self.mean(point):.1f}% of videos take longer, of at most {100 * self.bound:g}%"
        return f"{kept}: {self.measure.text(self.mean(point))}"

    def not_safe(self, least: float) -> InputError:
        """Return the error that no point keeps it on new videos: the ``least`` that can be shown is more."""
        if self.budget is None:
            return self.measure.too_low(self.bound, least)
        return InputError(
            f"these videos can't show that at most {100 * self.bound:g}% of new ones take longer than {self.budget:g} "
            f"{self.measure.unit}: of the safest thresholds up to {100 * least:.1f}% may",
            hint="Give more videos, a longer time, or leave out --safe",
        )

    def keeps(self, point: OperatingPoint) -> bool:
        """Return whether a point keeps the bound."""
        return fits(self.mean(point), self.bound)


def solve_within(
    scores: ExitScores, limits: Sequence[Limit], solve: Callable[[ExitScores], Iterable[OperatingPoint]]
) -> Frontier:
    """Return the points that keep all limits and that no other beats in cost and accuracy.

    A solver knows one cost. It is given mixtures of the scores' own and of the limits', from none of them to almost
    nothing else (Lagrange): thresholds that are best under several bounds are best, or nearly, for one of these.

    Args:
        scores: Calibration scores.
        limits: The bounds besides the budget, of which a point of the frontier is chosen as ever.
        solve: What finds points on scores.

    Raises:
        InfeasibleBudgetError: Not even leaving at the first exit keeps a limit.
    """
    for limit in limits:
        if not fits(limit.cost_E[0], limit.bound):
            raise limit.measure.too_low(limit.bound, limit.cost_E[0])
    found = [*solve(scores), *always_exit(scores)]
    for weights in product((0.0, *_WEIGHTS), repeat=len(limits)):
        if any(weights):
            mixed_E = scores.cost_E / scores.cost_E[-1]
            for weight, limit in zip(weights, limits, strict=True):
                mixed_E = mixed_E + weight * np.array(limit.cost_E) / limit.bound
            found += solve(replace(scores, cost_E=mixed_E))
    kept = [point for point in found if all(limit.keeps(point) for limit in limits)]
    costs = (float(np.dot(point.exit_share, scores.cost_E)) for point in kept)
    return Frontier(
        replace(point, cost=cost, measure=scores.measure) for point, cost in zip(kept, costs, strict=True)
    )
