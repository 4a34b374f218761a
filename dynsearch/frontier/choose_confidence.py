"""Which confidence measure gives the best frontier, by cross-validation."""

from collections.abc import Sequence

import numpy as np

from dynsearch.frontier.crossfit import cross_fit
from dynsearch.scores import CONFIDENCE_MEASURES, DEFAULT_MEASURE, ExitScores
from dynsearch.scores.confidence import SEVERAL_LABELS_MEASURE
from dynsearch.scores.exit_scores import GIVEN_MEASURE
from dynsearch.scores.gain import LEARNED_GAIN
from dynsearch.scores.stop_rule import PATIENCE

AUTO = "auto"
"""What names the confidence measure that cross-validation finds best."""
NUM_BUDGETS = 12
_NUM_FOLDS = 4
_FEWEST_TO_LEARN = 100


def available_measures(scores: ExitScores) -> list[str]:
    """Return the measures these scores can answer and that fit their labels, the usual one first."""
    learned = [LEARNED_GAIN] if scores.num_videos >= _FEWEST_TO_LEARN else []
    if scores.logits_ENK is None:
        return [DEFAULT_MEASURE, *learned]
    given = [GIVEN_MEASURE] if scores.confidence_EN is not None else []
    if scores.activated_by == "sigmoid":
        return [SEVERAL_LABELS_MEASURE, *given, *learned]
    return [
        *(name for name in CONFIDENCE_MEASURES if name != SEVERAL_LABELS_MEASURE),
        PATIENCE,
        *given,
        *learned,
    ]


def named_confidence(scores: ExitScores, confidence: str | None) -> str | None:
    """Return ``confidence``, or for ``auto`` the measure that :func:`choose_confidence` takes."""
    return choose_confidence(scores)[0] if confidence == AUTO else confidence


def choose_confidence(
    scores: ExitScores, measures: Sequence[str] | None = None
) -> tuple[str, dict[str, float]]:
    """Return the measure with the largest cross-fitted top-1, and each measure's value.

    The value is the mean cross-fitted top-1 over budgets spread evenly between the first and the last
    exit's cost: the area under the frontier, on videos that were not fitted on. The folds are the same
    for all measures, by default all that the scores can answer. Of equal measures the first is chosen.
    """
    names = list(available_measures(scores) if measures is None else measures)
    shares = np.linspace(0.02, 0.9, NUM_BUDGETS)
    first, last = scores.cost_E[0], scores.cost_E[-1]
    budgets = (first + shares * (last - first)).tolist()
    values = {}
    for name in names:
        estimates = cross_fit(scores, budgets, num_folds=_NUM_FOLDS, confidence=name)
        values[name] = float(np.mean([estimate.top1 for estimate in estimates]))
    return max(names, key=lambda name: values[name]), values
