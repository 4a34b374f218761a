"""One threshold, the same at every exit."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import InputError
from dynsearch.scores import DEFAULT_MEASURE, ExitScores
from dynsearch.thresholds.between import between
from dynsearch.thresholds.operating_point import OperatingPoint, evaluate_policies
from dynsearch.thresholds.policy import ExitPolicy


def shared(
    scores: ExitScores, *, confidence: str = DEFAULT_MEASURE, num_points: int = 200
) -> list[OperatingPoint]:
    """Return operating points that use one threshold at all exits but the last.

    Args:
        scores: Labelled calibration scores.
        confidence: The confidence measure.
        num_points: How many thresholds to try, spread over the confidences that occur.

    Raises:
        InputError: ``num_points`` is below 2.
    """
    if num_points < 2:
        raise InputError(f"num_points must be at least 2, got {num_points}")
    early = scores.confidence(confidence)[:-1]
    values = np.unique(early[np.isfinite(early)])
    num_gaps = len(values) - 1
    chosen: Sequence[float] | NDArray[np.float64] = (
        np.linspace(0, num_gaps - 1, min(num_points - 2, num_gaps)).round() if num_gaps > 0 else []
    )
    inner = [between(float(values[gap]), float(values[gap + 1])) for gap in np.asarray(chosen, dtype=int)]
    num_early = scores.num_exits - 1
    policies = [
        ExitPolicy((*[threshold] * num_early, -math.inf), confidence, scores.plan_id)
        for threshold in (-math.inf, *inner, math.inf)
    ]
    return evaluate_policies(policies, scores)
