"""Honest estimates from calibration scores alone, by cross-fitting.

The calibration accuracy of a point is optimistic, because its thresholds were chosen on the same videos.
Here thresholds are chosen without a fold of the videos, for the same budget, and measured on that fold.

Shapes: N videos, B budgets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from dynsearch.budget import fits
from dynsearch.errors import InputError
from dynsearch.frontier.frontier import Frontier
from dynsearch.frontier.solve import DEFAULT_SOLVER, solve_thresholds
from dynsearch.scores import DEFAULT_MEASURE, ExitScores
from dynsearch.scores.exit_scores import GIVEN_MEASURE
from dynsearch.scores.gain import LEARNED_GAIN
from dynsearch.scores.spread import Groups, Spread
from dynsearch.thresholds import ExitPolicy, evaluate_policies

_KNOWN: WeakKeyDictionary[ExitScores, dict[str, list[tuple[Frontier, ExitScores]]]] = WeakKeyDictionary()
"""Folds of scores that are asked for more than once, as long as the scores live."""


@dataclass(frozen=True)
class CrossFitted:
    """What to expect on new videos from thresholds fitted for a budget.

    Args:
        budget: The budget.
        top1: Share of right answers on videos that were not fitted on.
        cost: Their mean cost, which can exceed the budget a little.
        fitted_cost: What the same points cost where they were fitted.
        exceeded: Share of the folds whose mean cost was above the budget.
        exit_share: Share of the videos that stop at each exit; sums to 1.
        num_videos: How many videos it was measured on, all folds together.
        spread: How far this may be off, where videos come in groups.
    """

    budget: float
    top1: float
    cost: float
    fitted_cost: float
    exceeded: float
    exit_share: tuple[float, ...]
    num_videos: int
    spread: Spread | None = None


def cross_fit(
    scores: ExitScores,
    budgets_B: Sequence[float],
    *,
    solver: str = DEFAULT_SOLVER,
    confidence: str = DEFAULT_MEASURE,
    num_folds: int = 5,
    seed: int = 0,
    **options: Any,
) -> list[CrossFitted]:
    """Return the cross-fitted estimate for each budget.

    Args:
        scores: Labelled calibration scores.
        budgets_B: Budgets in mean cost per video; those below a fold's cheapest point take that point.
        solver: How thresholds are chosen.
        confidence: A measure's name, ``given``, or ``learned-gain``.
        num_folds: How many parts the videos are split into; at most as many as there are videos.
        seed: Of the split.
        options: Passed to the solver.

    Raises:
        InputError: There are fewer than two folds or videos.
    """
    known = _KNOWN.setdefault(scores, {})
    asked = f"{solver} {confidence} {num_folds} {seed} {sorted(options.items())}"
    if asked not in known:
        known[asked] = _folds(scores, solver, confidence, num_folds, seed, options)
    folds = known[asked]
    right_B, exceeded_B, fitted_B = np.zeros((3, len(budgets_B)))
    share_BE = np.zeros((len(budgets_B), scores.num_exits))
    chosen_FB = []
    for curve, held_out in folds:
        points = [curve.best_under(max(budget, curve[0].cost)) for budget in budgets_B]
        fitted_B += np.array([point.cost for point in points]) * held_out.num_videos / scores.num_videos
        chosen = [point.policy for point in points]
        chosen_FB.append(chosen)
        unique = list(dict.fromkeys(chosen))
        measured = dict(zip(unique, evaluate_policies(unique, held_out), strict=True))
        for place, (policy, budget) in enumerate(zip(chosen, budgets_B, strict=True)):
            point = measured[policy]
            right_B[place] += point.top1 * point.num_videos
            share_BE[place] += np.array(point.exit_share) * point.num_videos / scores.num_videos
            exceeded_B[place] += not fits(point.cost, budget)
    return [
        CrossFitted(
            budget=float(budget),
            top1=float(right / scores.num_videos),
            cost=float(share_E @ scores.cost_E),
            fitted_cost=float(fitted),
            exceeded=float(exceeded / len(folds)),
            exit_share=tuple(share_E.tolist()),
            num_videos=scores.num_videos,
            spread=_spread([held_out for _, held_out in folds], chosen_F) if scores.groups else None,
        )
        for budget, right, share_E, fitted, exceeded, chosen_F in zip(
            budgets_B, right_B, share_BE, fitted_B, exceeded_B, zip(*chosen_FB, strict=True), strict=True
        )
    ]


def _spread(folds: list[ExitScores], policies: tuple[ExitPolicy, ...]) -> Spread:
    exits = [
        policy.first_exit(policy.confidence_of(fold)) for policy, fold in zip(policies, folds, strict=True)
    ]
    right = [
        fold.correct()[exit_N, np.arange(len(exit_N))] for fold, exit_N in zip(folds, exits, strict=True)
    ]
    names = [np.asarray(fold.groups_N) for fold in folds]
    return Spread.of(
        Groups(np.concatenate(names)), np.concatenate(exits), folds[0].cost_E, np.concatenate(right)
    )


def _folds(
    scores: ExitScores,
    solver: str,
    confidence: str,
    num_folds: int,
    seed: int,
    options: Mapping[str, Any],
) -> list[tuple[Frontier, ExitScores]]:
    """Return for each fold the frontier that was fitted without it, and its own videos."""
    num_folds = min(num_folds, scores.num_videos)
    if num_folds < 2:
        raise InputError(
            f"cross-fitting needs at least 2 folds and 2 videos, got {num_folds} of {scores.num_videos}"
        )
    learned = confidence == LEARNED_GAIN
    scores, measure = (
        (scores.reduced(), LEARNED_GAIN) if learned else (scores.reduced(confidence), GIVEN_MEASURE)
    )
    fold_N = scores.folds(num_folds, seed)
    return [
        (
            solve_thresholds(scores.select(fold_N != fold), solver, confidence=measure, **options),
            scores.select(fold_N == fold),
        )
        for fold in range(fold_N.max() + 1)
    ]
