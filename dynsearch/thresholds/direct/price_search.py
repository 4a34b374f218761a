"""The upper hull of accuracy against cost, by putting prices on cost.

Each price turns the frontier into one number to maximise; prices are found dichotomically, as the slopes
between neighbouring points (Aneja and Nair, Bicriteria Transportation Problem, 1979).
"""

from itertools import pairwise

from dynsearch.thresholds.direct.bins import Positions
from dynsearch.thresholds.direct.gains import Gains, Value

_SMALLEST_PRICE = 1e-9  # of the whole cost span: only to prefer the cheaper of two equally accurate policies


def price_search(gains: Gains, *, max_solves: int = 48, gap: float = 0.02) -> dict[Positions, Value]:
    """Return policies near the upper hull, with their values.

    Between the two neighbours furthest apart in cost, the price that makes them equal is solved for,
    starting from either; until no two neighbours are more than ``gap`` of the cost span apart (the archive fills it),
    nothing new lies between them, or ``max_solves`` is reached.
    """
    num_thresholds, never = gains.num_thresholds, gains.bins.num_bins
    first_exit: Positions = (0,) + (never,) * (num_thresholds - 1)
    span = float(gains.cost_E[-1] - gains.cost_E[0])
    smallest_price = _SMALLEST_PRICE / span if span > 0 else 0.0
    best = gains.ascend(smallest_price, (never,) * num_thresholds)
    found = {positions: gains.value(positions) for positions in (first_exit, best)}
    exhausted: set[tuple[Positions, Positions]] = set()
    for _ in range(max_solves // 2):
        pair = _widest_gap(found, gap * span, exhausted)
        if pair is None:
            break
        low, high = (found[positions] for positions in pair)
        price = max((high.accuracy - low.accuracy) / (high.cost - low.cost), smallest_price)
        between = False
        for start in pair:
            positions = gains.ascend(price, start)
            if positions not in found:
                found[positions] = gains.value(positions)
                between |= low.cost < found[positions].cost < high.cost
        if not between:
            exhausted.add(pair)
    return found


def _widest_gap(
    found: dict[Positions, Value], widest: float, exhausted: set[tuple[Positions, Positions]]
) -> tuple[Positions, Positions] | None:
    """Return the neighbours furthest apart in cost, or None when all are near enough or done with."""
    order = sorted(found, key=lambda positions: (found[positions].cost, positions))
    best_pair, best_gap = None, widest
    for pair in pairwise(order):
        gap = found[pair[1]].cost - found[pair[0]].cost
        if gap > best_gap and pair not in exhausted:
            best_pair, best_gap = pair, gap
    return best_pair
