"""The seam for threshold solvers: a function of this form, registered in ``SOLVERS``."""

from __future__ import annotations

from typing import Any, Protocol

from dynsearch.scores import ExitScores
from dynsearch.thresholds.operating_point import OperatingPoint


class ThresholdSolver(Protocol):
    """Proposes operating points; the caller keeps the non-dominated ones."""

    def __call__(self, scores: ExitScores, *args: Any, **options: Any) -> list[OperatingPoint]:
        """Return operating points for many budgets, measured on ``scores``, in any order.

        Args:
            scores: Labelled calibration scores.
            args: None; solvers take options by name only.
            options: ``confidence`` (a measure's name), and the solver's own.
        """
        ...
