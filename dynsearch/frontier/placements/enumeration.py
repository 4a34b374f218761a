"""All placements and thresholds of a small problem, exactly."""

from __future__ import annotations

from itertools import islice

from dynsearch.frontier.placements.cells import Cells, Chain
from dynsearch.thresholds.direct.bins import Bins
from dynsearch.thresholds.direct.enumeration import enumerate_frontier, num_policies

_MOST_AT_ONCE = 10_000_000  # policies times videos of one placement: bytes of memory
_MOST_PLACEMENTS = 2_000
_MOST_IN_ALL = 300_000_000  # policies times videos of all placements: about a second


def is_small(cells: Cells) -> bool:
    """Return whether all placements with all their thresholds can be tried."""
    total = 0
    for count, chosen in enumerate(_all_placements(cells), start=1):
        size = num_policies(_bins_of(cells, chosen)) * cells.num_videos
        total += size
        if size > _MOST_AT_ONCE or total > _MOST_IN_ALL or count > _MOST_PLACEMENTS:
            return False
    return True


def enumerate_chains(cells: Cells) -> list[Chain]:
    """Return, for every placement, the thresholds that none beats."""
    chains = []
    for chosen in _all_placements(cells):
        found = enumerate_frontier(
            _bins_of(cells, chosen), cells.correct_CN[list(chosen)], cells.steps.cost_E(chosen)
        )
        chains += [Chain(chosen, positions) for positions in found]
    return chains


def _all_placements(cells: Cells) -> list[tuple[int, ...]]:
    """Return all placements, or one more than can be tried."""
    placements = (
        chosen
        for num_exits in range(cells.rules.min_exits, cells.rules.max_exits + 1)
        for chosen in cells.chains_of(num_exits)
    )
    return list(islice(placements, _MOST_PLACEMENTS + 1))


def _bins_of(cells: Cells, chosen: tuple[int, ...]) -> Bins:
    inner = list(chosen[:-1])
    thresholds = tuple(cells.bins.thresholds[cell] for cell in inner)
    return Bins(cells.bins.codes[inner], thresholds, cells.bins.num_bins)
