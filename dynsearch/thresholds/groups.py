"""What early exits do to each class, or to any other group of videos.

Shapes: E exits, N videos.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import ScoresError
from dynsearch.scores import ExitScores
from dynsearch.scores.metrics import measure
from dynsearch.thresholds.policy import ExitPolicy


@dataclass(frozen=True)
class GroupView:
    """One group of videos under a policy.

    Args:
        group: The class number or the group's name.
        num_videos: How many videos it has.
        top1: Their share of right answers at the exits where they stop.
        full_top1: The same at the last exit.
        cost: Their mean cost per video.
        exit_share: Share of them that stop at each exit.
    """

    group: Any
    num_videos: int
    top1: float
    full_top1: float
    cost: float
    exit_share: tuple[float, ...]

    @property
    def drop(self) -> float:
        """Top-1 lost by stopping early, as a fraction; negative where stopping early helps."""
        return self.full_top1 - self.top1


def by_group(policy: ExitPolicy, scores: ExitScores, groups_N: NDArray[Any] | None = None) -> list[GroupView]:
    """Return a view of each group, by default of each class, those that early exits hurt most first.

    Raises:
        PolicyError: The policy does not fit the scores.
        ScoresError: There are no groups: no labels, several labels a video, or another length.
    """
    policy.check_fits(scores.num_exits, scores.plan_id)
    if groups_N is None:
        if scores.labels_N is None or not scores.one_label:
            raise ScoresError("views by class need one label for each video", hint="Add labels to the scores")
        groups_N = scores.labels_N
    groups_N = np.asarray(groups_N)
    if groups_N.shape != (scores.num_videos,):
        raise ScoresError(f"groups have shape {groups_N.shape}, but there are {scores.num_videos} videos")
    correct_EN = scores.correct()
    exit_N = policy.first_exit(policy.confidence_of(scores))
    right_N = correct_EN[exit_N, np.arange(scores.num_videos)]
    views = []
    for group in np.unique(groups_N):
        inside = groups_N == group
        share_E = np.bincount(exit_N[inside], minlength=scores.num_exits) / np.count_nonzero(inside)
        views.append(
            GroupView(
                group=group.item(),
                num_videos=int(np.count_nonzero(inside)),
                top1=float(right_N[inside].mean()),
                full_top1=float(correct_EN[-1, inside].mean()),
                cost=float(share_E @ scores.cost_E),
                exit_share=tuple(share_E.tolist()),
            )
        )
    return sorted(views, key=lambda view: -view.drop)


def policy_metric(name: str, policy: ExitPolicy, scores: ExitScores) -> float:
    """Return a metric, a key of ``scores.metrics.METRICS``, of the logits at the exits where the videos stop (0..1).

    Average precision ranks all videos at once, so it is no sum over videos and thresholds can't be solved for it
    directly. They are solved for a surrogate: how often the first choice is one of the labels.

    Raises:
        PolicyError: The policy does not fit the scores.
        ScoresError: The scores lack logits, or labels of the form the metric needs.
    """
    policy.check_fits(scores.num_exits, scores.plan_id)
    return measure(name, scores, policy.first_exit(policy.confidence_of(scores)))
