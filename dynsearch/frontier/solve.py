"""From exit scores to a frontier, by the name of a solver."""

from __future__ import annotations

from dynsearch.frontier.frontier import Frontier
from dynsearch.frontier.learned import solve_learned
from dynsearch.scores import ExitScores
from dynsearch.scores.gain import LEARNED_GAIN
from dynsearch.thresholds import SOLVERS, OperatingPoint

DEFAULT_SOLVER = "frontier"


def solve_thresholds(
    scores: ExitScores,
    solver: str = DEFAULT_SOLVER,
    *,
    confidence: str | None = None,
    **options: object,
) -> Frontier:
    """Return the frontier of operating points that ``solver`` finds on calibration scores.

    Args:
        scores: Labelled scores of videos that neither training nor testing touches.
        solver: A name of ``dynsearch.thresholds.SOLVERS``.
        confidence: A measure's name, ``given``, or ``learned-gain``; None takes the largest probability of a class.
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

    if confidence == LEARNED_GAIN:
        return Frontier(solve_learned(scores, solve))
    return Frontier(solve(scores, confidence))
