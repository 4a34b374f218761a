"""A threshold solver in one file: every exit but the last takes the same share of the videos that reach it."""

import numpy as np

from dynsearch import SOLVERS
from dynsearch.scores import ExitScores
from dynsearch.thresholds import ExitPolicy, OperatingPoint, evaluate_policies


@SOLVERS.register("toy-shares")
def toy_shares(
    scores: ExitScores, *args: object, confidence: str = "max-softmax", **options: object
) -> list[OperatingPoint]:
    """Return a point for each share."""
    early = scores.confidence(confidence)[:-1]
    policies = []
    for share in np.linspace(0, 1, 11):
        thresholds = [float(np.quantile(values_N, 1 - share)) for values_N in early]
        policies.append(ExitPolicy((*thresholds, float("-inf")), confidence, scores.plan_id))
    return evaluate_policies(policies, scores)
