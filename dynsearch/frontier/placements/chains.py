"""From cells to good chains for all costs, and what a chain is worth.

Problems small enough are enumerated. On others an archive keeps the best chain of each slot of the cost axis
and tries every change of one exit of its members: another cell, another threshold, an exit more, an exit less.
Accuracy gains are smoothed over thresholds, as in the ``frontier`` solver.

Shapes: N videos.
"""

from collections.abc import Iterable
from itertools import islice

import numpy as np

from dynsearch.frontier.placements.archive import ChainArchive
from dynsearch.frontier.placements.cells import Cells, Chain
from dynsearch.frontier.placements.seeds import seed_chains
from dynsearch.scores.stop_rule import stops_above
from dynsearch.thresholds import ExitPolicy, OperatingPoint
from dynsearch.thresholds.direct.bins import Bins, systematic_sample
from dynsearch.thresholds.direct.enumeration import enumerate_frontier, num_policies
from dynsearch.thresholds.direct.smoothing import smoothing_width
from dynsearch.thresholds.operating_point import measured

_MAX_SEARCHED_VIDEOS = 25_000
_FEWEST_SMOOTHED = 65  # with fewer videos the best fit to them is what is asked for
_NUM_SLOTS = 1000
_EXPANSIONS = (64, *(300,) * 14)
_FEW_EXPANSIONS = 20  # when fewer members than this are new, the archive is as good as done
_MOST_AT_ONCE = 10_000_000  # policies times videos of one placement: bytes of memory
_MOST_PLACEMENTS = 2_000
_MOST_IN_ALL = 300_000_000  # policies times videos of all placements: about a second


def find_chains(cells: Cells, smoothing: float) -> list[Chain]:
    """Return chains that together are near the best at every cost; all of the best on a small problem.

    ``smoothing`` is the bandwidth at 500 videos as a share of the confidence ranks; 0 fits the videos as they are.
    """
    if cells.num_videos < _FEWEST_SMOOTHED:
        smoothing = 0.0
    if smoothing == 0 and _is_small(cells):
        return enumerate_chains(cells)
    return improve_chains(cells, smoothing)


def improve_chains(cells: Cells, smoothing: float) -> list[Chain]:
    """Return chains near the best at every cost, found by changing one exit at a time."""
    if cells.num_videos > _MAX_SEARCHED_VIDEOS:
        rows = np.vstack([cells.correct_CN, cells.bins.codes])
        cells = cells.select(systematic_sample(rows, _MAX_SEARCHED_VIDEOS))
    width = smoothing_width(cells.num_videos, cells.bins.num_bins, smoothing)
    archive = ChainArchive(cells, _NUM_SLOTS, width)
    for chain in seed_chains(cells):
        archive.offer(chain)
    for max_members in _EXPANSIONS:
        if archive.expand(max_members) < _FEW_EXPANSIONS and max_members > _EXPANSIONS[0]:
            break
    return archive.members()


def measure_chains(cells: Cells, chains: Iterable[Chain], confidence: str) -> list[OperatingPoint]:
    """Return what each chain achieves on the videos of ``cells``, whose bins are of the measure ``confidence``."""
    points = []
    for chain in chains:
        # The bins stop the same videos as the thresholds between them, and are compared faster.
        chosen = list(chain.cells)
        stops_EN = stops_above(cells.bins.codes[chosen[:-1]], chain.positions)
        policy = ExitPolicy(cells.thresholds(chain), confidence)
        cost_E = cells.steps.cost_E(chosen)
        points.append(measured(policy, stops_EN, cells.correct_CN[chosen], cost_E, cells.steps.measure))
    return points


def _is_small(cells: Cells) -> bool:
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
