"""A Gaussian process on what is known of plans before training, as a rival in the replay of search_replay.py.

One process stands for the top-1 at every budget, with one kernel (Matern 5/2) and outputs that are independent. The
next plan is the one with the largest expected gain of hypervolume, for what it costs or not; plans without an exit
within a budget are known to bring nothing there.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist
from scipy.stats import norm
from search_replay import Draw, Table, Training

_LENGTHS = (0.5, 1.0, 2.0, 4.0)
"""In units of the typical distance between two plans."""
_NOISES = (0.01, 0.05, 0.2)
"""Variance of the noise, where that of the outputs is 1."""


def features(table: Table) -> NDArray[np.float64]:
    """Return (P, F), standardised: frame order, number of exits, where they sit, and what they cost."""
    orders = sorted({str(plan.frame_order) for plan in table.plans})
    rows = []
    for p, plan in enumerate(table.plans):
        first, last = plan.exits.exits[0], plan.exits.exits[-1]
        middle = np.mean([(e.sets, e.depth) for e in plan.exits.exits], axis=0)
        costs = np.log([table.first_cost_P[p], table.full_cost_P[p]])
        rows.append(
            [*(2.0 * (str(plan.frame_order) == order) for order in orders), len(plan.exits), first.sets,
             first.depth, last.sets, last.depth, *middle, *costs, 4 * table.coverage_P()[p]]
        )  # fmt: skip
    values = np.array(rows, dtype=float)
    return (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-9)


def modelled(draw: Draw, seed: int, *, start: int = 3, per_price: bool = True) -> Iterator[Training]:
    """Train ``start`` plans with an exit at most budgets, then those of the largest gain expected, or per price."""
    table = draw.table
    rng = np.random.default_rng(seed)
    x_PF = features(table)
    apart_PP = cdist(x_PF, x_PF)
    apart_PP /= np.median(apart_PP[apart_PP > 0])
    within_PB = table.first_cost_P[:, None] <= np.array(table.budgets)
    left = np.lexsort([rng.random(len(table.plans)), -table.coverage_P()]).tolist()
    trained: list[int] = []
    while left:
        if len(trained) < start:
            chosen = left[0]
        else:
            top1_TB = draw.calibration_RPB[-1, trained]
            mean_LB, sd_LB = _predicted(apart_PP, trained, left, top1_TB, within_PB)
            best_B = top1_TB.clip(min=0).max(axis=0)
            z_LB = (mean_LB - best_B) / sd_LB
            gain_LB = sd_LB * (z_LB * norm.cdf(z_LB) + norm.pdf(z_LB)) * within_PB[left]
            worth_L = gain_LB.mean(axis=1) / (table.price_P[left] if per_price else 1.0)
            chosen = left[int(worth_L.argmax())]
        left.remove(chosen)
        trained.append(chosen)
        yield chosen, len(table.rungs) - 1


def _predicted(
    apart_PP: NDArray[np.float64],
    trained: list[int],
    left: list[int],
    top1_TB: NDArray[np.float64],
    within_PB: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (L, B) mean and standard deviation of the plans that are left.

    Where a trained plan has no exit within a budget, the mean of the others stands for it.
    """
    known_TB = within_PB[trained]
    counts_B = np.maximum(known_TB.sum(axis=0), 1)
    centre_B = np.where(known_TB, top1_TB, 0).sum(axis=0) / counts_B
    off_TB = np.where(known_TB, top1_TB - centre_B, 0.0)
    scale_B = np.sqrt((off_TB**2).sum(axis=0) / counts_B).clip(min=0.02)
    y_TB = off_TB / scale_B
    best = None
    for length in _LENGTHS:
        kernel_PP = _matern(apart_PP / length)
        for noise in _NOISES:
            own = kernel_PP[np.ix_(trained, trained)] + noise * np.eye(len(trained))
            factor = cho_factor(own, lower=True)
            alpha_TB = cho_solve(factor, y_TB)
            fit = -0.5 * (y_TB * alpha_TB).sum() - y_TB.shape[1] * np.log(np.diag(factor[0])).sum()
            if best is None or fit > best[0]:
                best = fit, kernel_PP, factor, alpha_TB
    assert best is not None
    _, kernel_PP, factor, alpha_TB = best
    cross_LT = kernel_PP[np.ix_(left, trained)]
    variance_L = (1.0 - (cross_LT * cho_solve(factor, cross_LT.T).T).sum(axis=1)).clip(min=1e-6)
    return centre_B + scale_B * (cross_LT @ alpha_TB), scale_B * np.sqrt(variance_L)[:, None]


def _matern(apart: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled = np.sqrt(5.0) * apart
    return (1 + scaled + scaled**2 / 3) * np.exp(-scaled)
