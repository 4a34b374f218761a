"""Every placement with every choice of thresholds, by plain enumeration from logits."""

import itertools

import numpy as np

from dynsearch.plan import Exit, ExitPlacement
from dynsearch.scores import StepTable


def softmax_confidence(logits_NK):
    exp = np.exp(logits_NK.astype(np.float64) - logits_NK.max(axis=1, keepdims=True))
    return exp.max(axis=1) / exp.sum(axis=1)


def all_placements(grid, *, min_exits=1, max_exits=3, min_depth=1, last="free"):
    cells = [
        Exit(sets, depth)
        for sets in range(1, grid.num_sets + 1)
        for depth in range(max(min_depth, grid.first_depth), grid.last.depth + 1)
    ]
    for num_exits in range(min_exits, max_exits + 1):
        for exits in itertools.combinations(cells, num_exits):
            rises = all(a.depth <= b.depth for a, b in itertools.pairwise(exits))
            if rises and (last == "free" or exits[-1] == grid.last):
                yield ExitPlacement(exits)


def all_points(grid, placement, quantiles=None):
    """(GFLOPs, top-1) of every choice of thresholds; with ``quantiles`` only those between equal parts."""
    logits = [grid.logits_SMNK[e.sets - 1, e.depth - grid.first_depth] for e in placement.exits]
    confidence = [softmax_confidence(logits_NK) for logits_NK in logits]
    correct = [logits_NK.argmax(axis=1) == grid.labels_N for logits_NK in logits]
    costs = costs_of(grid, placement)
    choices = [_thresholds(values, quantiles) for values in confidence[:-1]]
    points = []
    for thresholds in itertools.product(*choices):
        left = np.ones(grid.num_videos, dtype=bool)
        right = cost = 0.0
        for k in range(len(costs)):
            stops = left if k == len(costs) - 1 else left & (confidence[k] > thresholds[k])
            right += np.count_nonzero(stops & correct[k])
            cost += np.count_nonzero(stops) * costs[k]
            left = left & ~stops
        points.append((cost / grid.num_videos, right / grid.num_videos))
    return points


def costs_of(grid, placement):
    """The cost at each exit: the rectangle and the heads so far, or the steps so far; None where a step is shut."""
    cells = [(e.sets - 1) * grid.num_depths + e.depth - grid.first_depth for e in placement.exits]
    if isinstance(grid.steps, StepTable):
        total, costs = 0.0, []
        for before, cell in zip([-1, *cells], cells, strict=False):
            total += grid.steps.table[before + 1, cell]
            costs.append(total)
        return None if np.isinf(total) else costs
    heads, costs = 0.0, []
    for cell in cells:
        heads += grid.steps.head_C[cell]
        costs.append(grid.steps.trunk_C[cell] + heads)
    return costs


def _thresholds(values, quantiles):
    if quantiles is None:
        values = np.unique(values)
        inner = (values[:-1] + values[1:]) / 2
    else:
        values = np.sort(values)
        places = np.arange(1, quantiles) * len(values) // quantiles
        inner = (values[places - 1] + values[places]) / 2
    return [-np.inf, *inner, np.inf]


def best_at(points, budgets):
    """The best top-1 of (GFLOPs, top-1) points within each budget; 0 where there is none."""
    cost, top1 = np.array(points).T
    return np.array([top1[cost <= budget + 1e-12].max(initial=0.0) for budget in budgets])
