"""How well predictions order plans: Kendall's tau at equal budget."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import kendalltau


def tau_by_budget(predicted_PB: ArrayLike, true_PB: ArrayLike, *, min_plans: int = 3) -> list[float]:
    """Return Kendall's tau-b between prediction and truth at each budget.

    Args:
        predicted_PB: Of P plans the predicted top-1 at each of B budgets; NaN where a plan has no exit within.
        true_PB: What they reached, likewise.
        min_plans: Budgets that fewer plans keep give NaN, as do those at which one side is all ties.
    """
    predicted, true = np.asarray(predicted_PB, dtype=float), np.asarray(true_PB, dtype=float)
    taus = []
    for column in range(predicted.shape[1]):
        both = np.isfinite(predicted[:, column]) & np.isfinite(true[:, column])
        enough = both.sum() >= min_plans
        tau = kendalltau(predicted[both, column], true[both, column]).statistic if enough else np.nan
        taus.append(float(tau))
    return taus


def mean_tau(predicted_PB: ArrayLike, true_PB: ArrayLike, *, min_plans: int = 3) -> float:
    """Return the mean over budgets of Kendall's tau, each counting as often as it has pairs of plans.

    Returns:
        NaN if no budget has ``min_plans`` plans.
    """
    taus = np.array(tau_by_budget(predicted_PB, true_PB, min_plans=min_plans))
    plans_B = (np.isfinite(predicted_PB) & np.isfinite(true_PB)).sum(axis=0)
    pairs_B = plans_B * (plans_B - 1) / 2
    known = np.isfinite(taus)
    return float(np.average(taus[known], weights=pairs_B[known])) if known.any() else float("nan")
