"""From exit scores to a frontier, by the name of a solver."""

from __future__ import annotations

from typing import Any

from dynsearch.errors import InputError
from dynsearch.frontier.frontier import Frontier
from dynsearch.scores import ExitScores
from dynsearch.thresholds import SOLVERS

DEFAULT_SOLVER = "frontier"


def solve_thresholds(scores: ExitScores, solver: str = DEFAULT_SOLVER, **options: Any) -> Frontier:
    """Return the frontier of operating points that ``solver`` finds on calibration scores.

    Args:
        scores: Labelled scores of videos that neither training nor testing touches.
        solver: A name of ``dynsearch.thresholds.SOLVERS``.
        options: ``confidence`` (a measure's name) and the solver's own options.

    Raises:
        InputError: There is no such solver.
        ScoresError: The scores are unlabelled or lack what the confidence measure needs.
    """
    if solver not in SOLVERS:
        raise InputError(f"no threshold solver {solver!r}", hint=f"Known solvers: {', '.join(SOLVERS)}")
    return Frontier(SOLVERS[solver](scores, **options))
