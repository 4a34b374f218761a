"""The ``risk`` solver: thresholds with a promise about new videos.

Learn-then-Test (Angelopoulos et al., 2021) with a fixed sequence: policies are chosen on one half of the
calibration videos and put in order from safe to bold; on the other half each is tested in turn, and the
first that fails ends it. With chance 1 - delta, all policies before that keep the promise.

Shapes: E exits, N videos.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

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
from dynsearch.thresholds.pvalues import betting_p_value, binomial_p_value, fewest_videos

DEFAULT_MAX_DROP = 0.01


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
    is at most ``budget``. Points are measured on all the calibration videos.

    Args:
        scores: Labelled calibration scores, drawn like the new videos.
        confidence: The confidence measure.
        max_drop: A fraction; 0.01 is one point. The default when there is no ``budget``.
        budget: Mean cost per video.
        delta: The chance left that the promise does not hold.
        seed: Of the split into halves.

    Raises:
        InputError: An argument is out of range, both promises are asked for, or there are too few videos
            to make this promise; the message says how many it would take.
        InfeasibleBudgetError: ``budget`` is below the first exit's cost.
    """
    if max_drop is not None and budget is not None:
        raise InputError("the risk solver makes one promise: max_drop or a budget, not both")
    if not 0 < delta < 1:
        raise InputError(f"delta must be between 0 and 1, got {delta}")
    order_N = np.random.default_rng(seed).permutation(scores.num_videos)
    middle = scores.num_videos // 2
    learn, test = order_N[:middle], order_N[middle:]
    if budget is not None:
        kept = _keeping_budget(scores, learn, test, confidence, budget, delta)
    else:
        kept = _keeping_accuracy(
            scores, learn, test, confidence, DEFAULT_MAX_DROP if max_drop is None else max_drop, delta
        )
    return evaluate_policies(kept, scores)


def _keeping_accuracy(
    scores: ExitScores,
    learn: NDArray[np.intp],
    test: NDArray[np.intp],
    confidence: str,
    max_drop: float,
    delta: float,
) -> list[ExitPolicy]:
    """Show that top-1 drops by little, in the one of two valid ways that seems bolder on the learning half."""
    if not 0 < max_drop < 1:
        raise InputError(f"max_drop must be between 0 and 1 (0.01 is one point), got {max_drop}")
    needed = fewest_videos(max_drop, delta)
    if len(test) < needed:
        raise InputError(
            f"{scores.num_videos} videos can't show that top-1 drops by at most {max_drop:g}"
            f" with chance {1 - delta:g}",
            hint=f"Give at least {2 * needed} calibration videos, a larger drop, or a larger delta",
        )
    reduced = scores.reduced(confidence)
    correct_EN, confidence_EN = reduced.correct(), reduced.confidence(GIVEN_MEASURE)
    harm_EN = correct_EN[-1].astype(np.int8) - correct_EN

    def kept_of(way: _Way, videos: NDArray[np.intp]) -> list[ExitPolicy]:
        seen_EN, harm = confidence_EN[:, videos], harm_EN[:, videos]
        columns = np.arange(len(videos))

        def passes(policy: ExitPolicy) -> bool:
            return way.p_value(harm[policy.first_exit(seen_EN), columns], max_drop, delta) <= delta

        return list(itertools.takewhile(passes, way.from_safe_to_bold))

    ways = [
        _Way(_bolder(replace(reduced, correct_EN=correct_EN | ~correct_EN[-1]).select(learn)), _few_harmed),
        _Way(_bolder(reduced.select(learn)), _small_difference),
    ]
    never = ExitPolicy.never_early(scores.num_exits, GIVEN_MEASURE, scores.plan_id)
    learned = reduced.select(learn)
    way = min(ways, key=lambda w: evaluate_policies([never, *kept_of(w, learn)], learned)[-1].cost)
    return [replace(policy, confidence=confidence) for policy in (never, *kept_of(way, test))]


class _Way(NamedTuple):
    """A way to show that top-1 drops by little: policies tested in turn, and the p-value of a larger drop.

    It is of each video's harm (1: the last exit alone is right, -1: it alone is wrong), the limit, and a level.
    """

    from_safe_to_bold: list[ExitPolicy]
    p_value: Callable[[NDArray[np.int8], float, float], float]


def _bolder(scores: ExitScores) -> list[ExitPolicy]:
    return [p.policy for p in reversed(_rising(frontier(scores, confidence=GIVEN_MEASURE)))]


def _few_harmed(harm_N: NDArray[np.int8], max_drop: float, delta: float) -> float:
    """Top-1 can't drop by more than the share of the harmed videos, and their count is binomial: exact."""
    return binomial_p_value(int(np.count_nonzero(harm_N > 0)), len(harm_N), max_drop)


def _small_difference(harm_N: NDArray[np.int8], max_drop: float, delta: float) -> float:
    """The drop is the mean harm: better where early exits also put right what the last exit gets wrong."""
    return betting_p_value((1 + harm_N) / 2, (1 + max_drop) / 2, delta)


def _keeping_budget(
    scores: ExitScores,
    learn: NDArray[np.intp],
    test: NDArray[np.intp],
    confidence: str,
    budget: float,
    delta: float,
) -> list[ExitPolicy]:
    """Test that the mean cost, a mean of bounded values, is within the budget."""
    cheapest, dearest = float(scores.cost_E[0]), float(scores.cost_E[-1])
    if math.isnan(budget):
        raise InputError(
            f"{scores.measure.budget_name} must be a number of {scores.measure.per_video}, got nan"
        )
    if not fits(cheapest, budget):
        raise scores.measure.too_low(budget, cheapest)
    if len(learn) == 0:
        raise InputError("one video can't be split into two halves", hint="Give more calibration videos")
    reduced = scores.reduced(confidence)
    bolder = [p.policy for p in _rising(frontier(reduced.select(learn), confidence=GIVEN_MEASURE))]
    first = ExitPolicy((-math.inf,) * scores.num_exits, GIVEN_MEASURE, scores.plan_id)
    confidence_EN = reduced.confidence(GIVEN_MEASURE)[:, test]
    span = max(dearest - cheapest, 1e-300)
    limit = max(budget - cheapest, 0.0) / span

    def passes(policy: ExitPolicy) -> bool:
        cost_N = scores.cost_E[policy.first_exit(confidence_EN)]
        return betting_p_value((cost_N - cheapest) / span, limit, delta) <= delta

    # Where no confidence is missing, stopping at the first exit costs what it costs: nothing to test.
    certain = [first] if np.isfinite(reduced.confidence(GIVEN_MEASURE)[0]).all() else []
    kept = certain + list(itertools.takewhile(passes, bolder))
    if not kept:
        raise InputError(
            f"{scores.num_videos} videos can't show that the mean cost is at most {budget:g} {scores.measure.unit}"
            f" with chance {1 - delta:g}",
            hint="Give more calibration videos, a larger budget, or a larger delta",
        )
    return [replace(policy, confidence=confidence) for policy in kept]


def _rising(points: list[OperatingPoint]) -> list[OperatingPoint]:
    """Return the points that no cheaper one matches, from cheap to dear."""
    kept = rising(np.array([point.cost for point in points]), np.array([point.top1 for point in points]))
    return [points[i] for i in kept]
