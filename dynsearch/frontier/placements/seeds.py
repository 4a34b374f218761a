"""Chains to begin with: for every cell that may be last, one placement that leads there and never stops early."""

from __future__ import annotations

import numpy as np

from dynsearch.frontier.placements.cells import Cells, Chain
from dynsearch.plan import Exit


def seed_chains(cells: Cells) -> list[Chain]:
    """Return one chain with the fewest exits allowed for each last exit that has room for them."""
    last = len(cells.exits) - 1
    never = cells.num_positions - 1
    seeds = []
    for end in [last] if cells.rules.last == "full" else range(last + 1):
        path = _path_to(cells, end)
        num_exits = cells.rules.min_exits
        if len(path) >= num_exits:
            chosen = np.linspace(len(path) - 1, 0, num_exits).round().astype(int)[::-1]
            seeds.append(Chain(tuple(path[i] for i in chosen), (never,) * (num_exits - 1)))
    return seeds


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
