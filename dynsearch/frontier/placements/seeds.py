"""Chains to begin with: for every cell that may be last, one placement that leads there and never stops early."""

import numpy as np
from numpy.typing import NDArray

from dynsearch.frontier.placements.cells import Cells, Chain
from dynsearch.plan import Exit


def seed_chains(cells: Cells) -> list[Chain]:
    """Return one chain with the fewest exits allowed for each last exit that has room for them."""
    never = cells.num_positions - 1
    seeds = []
    ways = None
    for end in cells.ends:
        path = _path_to(cells, end)
        num_exits = cells.rules.min_exits
        if len(path) < num_exits:
            continue
        places = np.linspace(len(path) - 1, 0, num_exits).round().astype(int)[::-1]
        chosen = tuple(path[i] for i in places)
        if not all(map(cells.follows, (None, *chosen), chosen)):
            ways = ways or _ways(cells)
            chosen = _way_to(cells, end, ways)
        if chosen:
            seeds.append(Chain(chosen, (never,) * (len(chosen) - 1)))
    return seeds


def _ways(cells: Cells) -> list[NDArray[np.bool_]]:
    """Return, for each number of exits from 1, whether each cell can be the last of so many."""
    ways = [cells.first_C]
    for _ in range(cells.rules.max_exits - 1):
        ways.append(np.asarray((cells.before_CC & ways[-1][:, None]).any(axis=0)))
    return ways


def _way_to(cells: Cells, end: int, ways: list[NDArray[np.bool_]]) -> tuple[int, ...]:
    """Return a placement that ends at a cell with as few exits as the rules and steps allow; () if none does."""
    for num_exits in range(cells.rules.min_exits, cells.rules.max_exits + 1):
        if ways[num_exits - 1][end]:
            way: tuple[int, ...] = (end,)
            for reached_C in reversed(ways[: num_exits - 1]):
                way = (int(np.flatnonzero(cells.before_CC[:, way[0]] & reached_C)[-1]), *way)
            return way
    return ()


def _path_to(cells: Cells, end: int) -> list[int]:
    """Return the cells of a longest path to a cell, each one set or one stage beyond the one before."""
    at = {exit_: cell for cell, exit_ in enumerate(cells.exits)}
    first, goal = cells.exits[0], cells.exits[end]
    steps = goal.sets - first.sets + goal.depth - first.depth
    path = []
    for step in range(steps + 1):
        # Along the diagonal of the rectangle, so that both axes rise together.
        sets = first.sets + round(step * (goal.sets - first.sets) / max(steps, 1))
        path.append(at[Exit(sets, first.depth + step - (sets - first.sets))])
    return path
