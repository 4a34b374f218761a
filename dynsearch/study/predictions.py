"""What the one-shot network says of plans that are then trained alone, and how right it was."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from dynsearch.budget import fits
from dynsearch.errors import InputError
from dynsearch.frontier import Frontier
from dynsearch.frontier.crossfit import cross_fit
from dynsearch.plan import Plan
from dynsearch.scores import DEFAULT_MEASURE, ExitScores
from dynsearch.scores.score_grid import ScoreGrid
from dynsearch.study.folder import StudyFolder

_NUM_BUDGETS = 17


def one_shot_folder(folder: StudyFolder) -> Path:
    """Return where a study's one-shot networks lie."""
    return folder.path / "one-shot"


def save_prediction(folder: Path, plan: Plan, grid: ScoreGrid) -> None:
    """Write what the one-shot network says of ``plan`` on calibration, as exit scores."""
    grid.exit_scores(plan.exits, plan_id=plan.plan_id).save(prediction_file(folder, plan))


def read_prediction(folder: Path, plan: Plan) -> ExitScores | None:
    """Return what :func:`save_prediction` wrote; None if the plan was never predicted."""
    try:
        return ExitScores.load(prediction_file(folder, plan))
    except InputError:
        return None


def prediction_file(folder: Path, plan: Plan) -> Path:
    """Return where the prediction of ``plan`` lies in the folder of a study's one-shot networks."""
    return folder / "predictions" / f"{plan.plan_id}.npz"


def expected_top1(
    scores: ExitScores, budgets_B: Sequence[float], confidence: str | None = None
) -> list[float]:
    """Return the top-1 to expect on new videos at each budget, cross-fitted; NaN where no exit is within."""
    cheapest = float(scores.cost_E[0])
    fitted = cross_fit(scores, budgets_B, confidence=confidence or DEFAULT_MEASURE)
    return [
        found.top1 if fits(cheapest, budget) else float("nan")
        for budget, found in zip(budgets_B, fitted, strict=True)
    ]


def agreement(
    predictions: Mapping[int, ExitScores],
    trained: Mapping[int, tuple[ExitScores, ExitScores]],
    curves: Mapping[int, Frontier],
    confidence: str | None = None,
) -> float:
    """Return Kendall's tau between predicted and reached top-1 at equal budgets, over plans that have both.

    Thresholds (``curves``) were solved on calibration; what is reached is measured on test. ``predictions`` are the
    one-shot network's scores on calibration, ``trained`` each trial's own on calibration and test. NaN if fewer than
    three plans have both.
    """
    both = [number for number in predictions if number in trained]
    if len(both) < 3:
        return float("nan")
    ends = [predictions[number].cost_E[[0, -1]] for number in both]
    low, high = min(cheapest for cheapest, _ in ends), max(dearest for _, dearest in ends)
    budgets_B = np.linspace(low, high, _NUM_BUDGETS).tolist()
    predicted, reached = [], []
    for number in both:
        predicted.append(expected_top1(predictions[number], budgets_B, confidence))
        curve, test = curves[number], trained[number][1]
        reached.append(
            [
                curve.best_under(budget).evaluate(test).top1 if fits(curve[0].cost, budget) else float("nan")
                for budget in budgets_B
            ]
        )
    return mean_tau(predicted, reached)


def tau_by_budget(predicted_PB: ArrayLike, true_PB: ArrayLike, *, min_plans: int = 3) -> list[float]:
    """Return Kendall's tau-b between prediction and truth at each of B budgets.

    Both are the top-1 of P plans at each, NaN where a plan has no exit within. Budgets that fewer than ``min_plans``
    keep give NaN, as do those at which one side is all ties.
    """
    from scipy.stats import kendalltau  # Takes .7 seconds to load.

    predicted, true = np.asarray(predicted_PB, dtype=float), np.asarray(true_PB, dtype=float)
    taus = []
    for column in range(predicted.shape[1]):
        both = np.isfinite(predicted[:, column]) & np.isfinite(true[:, column])
        enough = both.sum() >= min_plans
        tau = kendalltau(predicted[both, column], true[both, column]).statistic if enough else np.nan
        taus.append(float(tau))
    return taus


def mean_tau(predicted_PB: ArrayLike, true_PB: ArrayLike, *, min_plans: int = 3) -> float:
    """Return the mean over budgets of Kendall's tau, each counting as often as it has pairs of plans, or NaN."""
    taus = np.array(tau_by_budget(predicted_PB, true_PB, min_plans=min_plans))
    plans_B = (np.isfinite(predicted_PB) & np.isfinite(true_PB)).sum(axis=0)
    pairs_B = plans_B * (plans_B - 1) / 2
    known = np.isfinite(taus)
    return float(np.average(taus[known], weights=pairs_B[known])) if known.any() else float("nan")
