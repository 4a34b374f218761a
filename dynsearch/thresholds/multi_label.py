"""Mean average precision of a policy on videos with several labels.

Average precision ranks all videos at once, so it is no sum over videos and thresholds can't be solved for it
directly. They are solved for a surrogate: how often the first choice is one of the labels. This reports
what the chosen policy is worth in mAP.
"""

from __future__ import annotations

import numpy as np

from dynsearch.errors import ScoresError
from dynsearch.scores import ExitScores
from dynsearch.scores.accuracy import mean_average_precision
from dynsearch.thresholds.policy import ExitPolicy


def policy_map(policy: ExitPolicy, scores: ExitScores) -> float:
    """Return the mAP (0..1) of the logits at the exits where the videos stop.

    Raises:
        PolicyError: The policy does not fit the scores.
        ScoresError: The scores lack logits or labels of the form (videos, classes).
    """
    policy.check_fits(scores.num_exits, scores.plan_id)
    if scores.logits_ENK is None or scores.labels_N is None or scores.labels_N.ndim != 2:
        raise ScoresError("mAP needs logits and labels of the form (videos, classes)")
    exit_N = policy.first_exit(policy.confidence_of(scores))
    logits_NK = scores.logits_ENK[exit_N, np.arange(scores.num_videos)]
    return mean_average_precision(logits_NK, scores.labels_N)
