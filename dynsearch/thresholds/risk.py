"""The ``risk`` solver: thresholds with a promise about new videos.

Learn-then-Test (Angelopoulos et al., 2021) with fixed sequences: policies are put in order from safe to bold, each is
tested in turn, and the first that fails ends it. With chance 1 - delta, all before that keep the promise. There are two
sequences, which share delta: one threshold for all exits, for which nothing is learned, is tested on all videos;
policies chosen on a third of the videos are tested on the others. The more videos there are, the more is for the
second; networks of two exits have one threshold, and all is for the first. Where videos come in groups, groups are what
is tested.

Shapes: E exits, N videos.
"""

import itertools
import math
from dataclasses import replace
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.budget import fits
from dynsearch.errors import InputError
from dynsearch.scores import DEFAULT_MEASURE, ExitScores
from dynsearch.scores.exit_scores import GIVEN_MEASURE
from dynsearch.thresholds.direct.slots import rising
from dynsearch.thresholds.frontier_solver import frontier
from dynsearch.thresholds.operating_point import OperatingPoint, evaluate_policies
from dynsearch.thresholds.policy import ExitPolicy
from dynsearch.thresholds.pvalues import bounded_p_value, fewest_videos
from dynsearch.thresholds.shared import shared

DEFAULT_MAX_DROP = 0.01
_cost = attrgetter("cost")
_LEARNING = 3  # one in so many videos
_LEARNED_DROP, _LEARNED_COST = 1000, 50  # so many videos, and half of delta is for what is learned


def risk(
    scores: ExitScores,
    *,
    confidence: str = DEFAULT_MEASURE,
    max_drop: float | None = None,
    budget: float | None = None,
    delta: float = 0.05,
    seed: int = 0,
) -> list[OperatingPoint]:
    """Return operating points that all keep one promise on new videos, with chance 1 - ``delta``.

    The promise is either that top-1 is at most ``max_drop`` below the last exit's, or that the mean cost
    is at most ``budget``. Points are measured on all the calibration videos, and come from safe to bold.

    Args:
        scores: Labelled calibration scores, drawn like the new videos.
        confidence: The confidence measure.
        max_drop: A fraction; 0.01 is one point. The default when there is no ``budget``.
        budget: Mean cost per video.
        delta: The chance left that the promise does not hold.
        seed: Of who is learned from.

    Raises:
        InputError: An argument is out of range, both promises are asked for, or there are too few videos
            to make this promise; the message says how many it would take.
        InfeasibleBudgetError: ``budget`` is below the first exit's cost.
    """
    if max_drop is not None and budget is not None:
        raise InputError("the risk solver makes one promise: max_drop or a budget, not both")
    if not 0 < delta < 1:
        raise InputError(f"delta must be between 0 and 1, got {delta}")
    if budget is None:
        max_drop = DEFAULT_MAX_DROP if max_drop is None else max_drop
        _check_enough(scores, max_drop, delta)
    else:
        _check_budget(scores, budget)
    reduced = scores.reduced(confidence)
    confidence_EN = reduced.confidence(GIVEN_MEASURE)
    if max_drop is not None:
        correct_EN = reduced.correct()
        value_EN, limit = (1.0 + correct_EN[-1] - correct_EN) / 2, (1 + max_drop) / 2
        certain = [ExitPolicy.never_early(scores.num_exits, GIVEN_MEASURE, scores.plan_id)]
    elif budget is not None:
        cheapest = float(scores.cost_E[0])
        span = max(float(scores.cost_E[-1]) - cheapest, 1e-300)
        value_EN = np.broadcast_to(((scores.cost_E - cheapest) / span)[:, None], confidence_EN.shape)
        limit = max(budget - cheapest, 0.0) / span
        first = ExitPolicy((-math.inf,) * scores.num_exits, GIVEN_MEASURE, scores.plan_id)
        # Where no confidence is missing, stopping at the first exit costs what it costs: nothing to test.
        certain = [first] if np.isfinite(confidence_EN[0]).all() else []
    learned = _learned_share(scores, delta, _LEARNED_DROP if budget is None else _LEARNED_COST)
    learn_N = scores.folds(_LEARNING, seed) == 0
    sequences = [
        (sorted(shared(reduced, confidence=GIVEN_MEASURE), key=_cost), np.ones_like(learn_N), delta - learned)
    ]
    if learned and learn_N.any() and not learn_N.all():
        chosen = frontier(reduced.select(learn_N), confidence=GIVEN_MEASURE)
        places = rising(np.array(list(map(_cost, chosen))), np.array([point.worth for point in chosen]))
        sequences.append(([chosen[place] for place in places], ~learn_N, learned))
    kept = certain
    for path, tested_N, level in sequences:
        bolder = [point.policy for point in (path if budget is not None else reversed(path))]
        kept = kept + _passing(bolder, reduced.select(tested_N), value_EN[:, tested_N], limit, level)
    if not kept:
        raise InputError(
            f"{_counted(scores)} can't show that the mean cost is at most {budget:g} {scores.measure.unit}"
            f" with chance {1 - delta:g}",
            hint="Give more calibration videos, a larger budget, or a larger delta",
        )
    named = [replace(policy, confidence=confidence) for policy in dict.fromkeys(kept)]
    return sorted(evaluate_policies(named, scores), key=_cost, reverse=budget is None)


def _passing(
    bolder: list[ExitPolicy], scores: ExitScores, value_EN: NDArray[Any], limit: float, level: float
) -> list[ExitPolicy]:
    """Return the policies before the first whose mean value is not shown by ``scores`` to be within the limit."""
    confidence_EN, groups = scores.confidence(GIVEN_MEASURE), scores.groups

    def passes(policy: ExitPolicy) -> bool:
        value_N = value_EN[policy.first_exit(confidence_EN), np.arange(scores.num_videos)]
        if groups:  # One value for each, which counts by its size.
            value_N = limit + groups.sums(value_N - limit) / groups.size_G.max()
        return bounded_p_value(value_N, limit) <= level

    return list(itertools.takewhile(passes, bolder))


def _learned_share(scores: ExitScores, delta: float, half: int) -> float:
    """Return the part of ``delta`` that is for policies learned on some of the videos; ``half`` get half of it."""
    if scores.num_exits < 3:
        return 0.0
    return delta * _num_units(scores) / (_num_units(scores) + half)


def _check_enough(scores: ExitScores, max_drop: float, delta: float) -> None:
    """Refuse a promise that so few videos, or groups of them, can't show even if none is harmed."""
    if not 0 < max_drop < 1:
        raise InputError(f"max_drop must be between 0 and 1 (0.01 is one point), got {max_drop}")
    needed = fewest_videos(max_drop, delta)
    while scores.num_exits > 2 and needed < fewest_videos(
        max_drop, delta * _LEARNED_DROP / (needed + _LEARNED_DROP)
    ):
        needed += 1
    if _num_units(scores) < needed:
        raise InputError(
            f"{_counted(scores)} can't show that top-1 drops by at most {max_drop:g} with chance {1 - delta:g}",
            hint=f"Give at least {needed} calibration {'groups' if scores.groups else 'videos'}, a larger drop, or a "
            "larger delta",
        )


def _check_budget(scores: ExitScores, budget: float) -> None:
    if math.isnan(budget):
        raise InputError(
            f"{scores.measure.budget_name} must be a number of {scores.measure.per_video}, got nan"
        )
    if not fits(float(scores.cost_E[0]), budget):
        raise scores.measure.too_low(budget, float(scores.cost_E[0]))


def _num_units(scores: ExitScores) -> int:
    return len(scores.groups) if scores.groups else scores.num_videos


def _counted(scores: ExitScores) -> str:
    return f"{scores.num_videos} videos" + (f" of {len(scores.groups)} groups" if scores.groups else "")
