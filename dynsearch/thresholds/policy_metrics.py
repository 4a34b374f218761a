"""What a policy is worth in a data set's own metrics: top-5, mean class accuracy, mAP.

Average precision ranks all videos at once, so it is no sum over videos and thresholds can't be solved for it
directly. They are solved for a surrogate: how often the first choice is one of the labels. This reports
what the chosen policy is worth in mAP.
"""

from __future__ import annotations

from dynsearch.scores import ExitScores
from dynsearch.scores.metrics import measure
from dynsearch.thresholds.policy import ExitPolicy


def policy_metric(name: str, policy: ExitPolicy, scores: ExitScores) -> float:
    """Return a metric (0..1) of the logits at the exits where the videos stop.

    Args:
        name: A key of ``scores.metrics.METRICS``.
        policy: Decides where each video stops.
        scores: Labelled scores with logits.

    Raises:
        PolicyError: The policy does not fit the scores.
        ScoresError: The scores lack logits, or labels of the form the metric needs.
    """
    policy.check_fits(scores.num_exits, scores.plan_id)
    return measure(name, scores, policy.first_exit(policy.confidence_of(scores)))
