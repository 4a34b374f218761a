"""From exit scores to a frontier, by the name of a solver."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from dynsearch.frontier.frontier import Frontier
from dynsearch.frontier.limits import Limit, solve_within
from dynsearch.scores import ExitScores
from dynsearch.scores.exit_scores import GIVEN_MEASURE
from dynsearch.scores.gain import LEARNED_GAIN, fit_gain
from dynsearch.thresholds import SOLVERS, OperatingPoint

DEFAULT_SOLVER = "frontier"


def solve_thresholds(
    scores: ExitScores,
    solver: str = DEFAULT_SOLVER,
    *,
    confidence: str | None = None,
    limits: Sequence[Limit] = (),
    **options: object,
) -> Frontier:
    """Return the frontier of operating points that ``solver`` finds on calibration scores.

    Args:
        scores: Labelled scores of videos that neither training nor testing touches.
        solver: A name of ``dynsearch.thresholds.SOLVERS``.
        confidence: A measure's name, ``given``, or ``learned-gain``; None takes the largest probability of a class.
        limits: Bounds besides the budget, which all points keep.
        options: The solver's own options.

    Raises:
        InputError: There is no such solver.
        ScoresError: The scores are unlabelled or lack what the confidence measure needs.
    """
    solve_once = SOLVERS[solver]
    if confidence is None:
        confidence = scores.default_confidence

    def solve(labelled: ExitScores, measure: str) -> list[OperatingPoint]:
        return solve_once(labelled, confidence=measure, **options)

    def found(labelled: ExitScores) -> list[OperatingPoint]:
        return _solve_learned(labelled, solve) if confidence == LEARNED_GAIN else solve(labelled, confidence)

    return solve_within(scores, limits, found) if limits else Frontier(found(scores))


def _solve_learned(
    scores: ExitScores, solve: Callable[[ExitScores, str], list[OperatingPoint]]
) -> list[OperatingPoint]:
    """Return operating points whose policies stop by a learned gain instead of a confidence measure.

    Thresholds are chosen on cross-fitted gains, and the points are measured on them, so that learning the
    gain on the same videos does not flatter them; the policies carry the gain fitted on all videos.
    """
    model, gains_EN = fit_gain(scores)
    rescored = replace(scores.reduced(), confidence_EN=gains_EN)
    return [
        replace(point, policy=replace(point.policy, confidence=LEARNED_GAIN, gain=model))
        for point in solve(rescored, GIVEN_MEASURE)
    ]
