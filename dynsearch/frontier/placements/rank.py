"""Which plans are worth training alone: a few placements that together keep most of the frontier."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from dynsearch.budget import fits
from dynsearch.errors import InputError
from dynsearch.frontier.dominance import hypervolume
from dynsearch.frontier.frontier import Frontier
from dynsearch.frontier.placements.points import PlacementFrontier
from dynsearch.frontier.solve import solve_thresholds
from dynsearch.plan import ExitPlacement
from dynsearch.scores import ScoreGrid
from dynsearch.scores.exit_scores import GIVEN_MEASURE

Key = TypeVar("Key", bound=Hashable)

_MOST_CANDIDATES = 40
_LEAST_GAIN = 1e-9  # of the hypervolume: what a further plan must add


@dataclass(frozen=True)
class RankedPlan(Generic[Key]):
    """A placement on one of the grids, with all that its thresholds can do.

    Args:
        key: Which grid.
        placement: Where the exits sit.
        curve: Its own frontier, on the videos it was chosen on; optimistic.
        kept: Share of the hypervolume of all candidates that this plan keeps, with those ranked before it.
    """

    key: Key
    placement: ExitPlacement
    curve: Frontier
    kept: float


def rank_plans(
    searched: Mapping[Key, tuple[ScoreGrid, PlacementFrontier]],
    num_plans: int,
    *,
    budget: float | None = None,
    upper: bool = False,
) -> list[RankedPlan[Key]]:
    """Return at most ``num_plans`` different plans that together keep the most hypervolume, best first.

    Each next plan is the one that adds most to those before it (greedy, as good as 1 - 1/e of the best choice:
    Nemhauser et al., 1978); plans that add nothing are left out. ``searched`` has for each frame order (or other key)
    its grid and what the search found on it. Costs above ``budget`` do not count; None counts all. With ``upper`` only
    the upper half counts of the budgets from the cheapest point on.

    Raises:
        InputError: There are no grids, or ``num_plans`` is below 1.
        InfeasibleBudgetError: ``budget`` is below the cheapest point of all.
    """
    if not searched:
        raise InputError("no score grids to choose plans from")
    if num_plans < 1:
        raise InputError(f"num_plans must be at least 1, got {num_plans}")
    dearest = max(found[-1].cost for _, found in searched.values())
    limit = dearest if budget is None else budget
    cheapest = min(found[0].cost for _, found in searched.values())
    if not fits(cheapest, limit):
        raise next(iter(searched.values()))[1][0].chosen.measure.too_low(limit, cheapest)
    worth = _Worth(limit, (cheapest + limit) / 2 if upper else 0.0)
    curves = {
        (key, placement): _curve(searched[key][0], placement, searched[key][1])
        for key, placement in _candidates(searched, worth)
    }
    return _greedy(curves, num_plans, worth)


def _candidates(
    searched: Mapping[Key, tuple[ScoreGrid, PlacementFrontier]], worth: "_Worth"
) -> list[tuple[Key, ExitPlacement]]:
    """Return the placements whose own points on their frontiers are worth most."""
    points: dict[tuple[Key, ExitPlacement], list[tuple[float, float]]] = {}
    for key, (_, found) in searched.items():
        for point in found:
            if fits(point.cost, worth.limit):
                points.setdefault((key, point.placement), []).append((point.cost, point.top1))
    if len(points) <= _MOST_CANDIDATES:
        return list(points)
    chosen: list[tuple[Key, ExitPlacement]] = []
    kept: list[tuple[float, float]] = []
    while len(chosen) < _MOST_CANDIDATES:
        best = max((c for c in points if c not in chosen), key=lambda c: worth.of(kept + points[c]))
        chosen.append(best)
        kept += points[best]
    return chosen


def _greedy(
    curves: Mapping[tuple[Key, ExitPlacement], Frontier], num_plans: int, worth: "_Worth"
) -> list[RankedPlan[Key]]:
    points = {candidate: [(p.cost, p.top1) for p in curve] for candidate, curve in curves.items()}
    total = worth.of([point for own in points.values() for point in own])
    ranked: list[RankedPlan[Key]] = []
    kept: list[tuple[float, float]] = []
    while points and len(ranked) < num_plans:
        value, best = max(
            ((worth.of(kept + own), candidate) for candidate, own in points.items()), key=lambda pair: pair[0]
        )
        if ranked and value - worth.of(kept) <= _LEAST_GAIN * total:
            break
        kept += points.pop(best)
        ranked.append(RankedPlan(*best, curves[best], value / total if total > 0 else 1.0))
    return ranked


@dataclass(frozen=True)
class _Worth:
    """Hypervolume of (cost, top-1) points from one cost up to another."""

    limit: float
    least: float

    def of(self, points: Sequence[tuple[float, float]]) -> float:
        costs, values = zip(*points, strict=True) if points else ((), ())
        return hypervolume([max(cost, self.least) for cost in costs], values, reference_cost=self.limit)


def _curve(grid: ScoreGrid, placement: ExitPlacement, found: PlacementFrontier) -> Frontier:
    """Return all that thresholds can do with a placement: solved anew, and what the search found."""
    own = [point.chosen for point in found if point.placement == placement]
    measure = own[0].policy.confidence
    solved = solve_thresholds(grid.reduced_scores(placement, measure), confidence=GIVEN_MEASURE)
    # By what was counted, as the search's own points are.
    named = [
        replace(point, policy=replace(point.policy, confidence=measure), expected=None)
        for point in solved.candidates
    ]
    return Frontier(own + named)
