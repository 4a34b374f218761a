"""Exit scores: what a multi-exit network says at every exit, and pure functions of it."""

from dynsearch.scores.confidence import CONFIDENCE_MEASURES, DEFAULT_MEASURE, confidence_from_logits
from dynsearch.scores.exit_scores import ExitScores
from dynsearch.scores.score_grid import ScoreGrid
from dynsearch.scores.step_costs import RectangleSteps, StepCosts, StepTable

__all__ = [
    "CONFIDENCE_MEASURES",
    "DEFAULT_MEASURE",
    "ExitScores",
    "RectangleSteps",
    "ScoreGrid",
    "StepCosts",
    "StepTable",
    "confidence_from_logits",
]
