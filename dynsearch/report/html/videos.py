"""Which test videos are pictured: those that stop early and those that go on (the idea of the paper's Figure 8).

Shapes: E exits, N videos.
"""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from dynsearch.frontier import MergedPoint
from dynsearch.report.html.facts import StudyFacts
from dynsearch.scores import ExitScores

NUM_SHOWN = 8
_PER_CLASS = 2


def shown_videos(facts: StudyFacts) -> list[str]:
    """Return the ids of a few videos that stop at the first exit in use, the surest first, and of a few that go on.

    They are those of the chosen point, and of the cheapest and the dearest point; at most two of a class and kind.
    """
    points = (facts.chosen, facts.points[0], facts.points[-1])
    return list(dict.fromkeys(video for point in points for video in _at(point, facts.scores[point.key][1])))


def _at(point: MergedPoint[int], test: ExitScores) -> list[str]:
    policy = point.test.policy
    confidence_EN = policy.confidence_of(test)
    exit_N = policy.first_exit(confidence_EN)
    if test.video_ids_N is None or exit_N.min() == exit_N.max():
        return []
    first = int(exit_N.min())
    surest_first = np.argsort(-confidence_EN[first], kind="stable")
    right_N = test.correct()[exit_N, np.arange(len(exit_N))]
    early = (int(i) for i in surest_first if exit_N[i] == first and right_N[i])
    late = (int(i) for i in surest_first[::-1] if exit_N[i] == exit_N.max())
    return [str(test.video_ids_N[i]) for order in (early, late) for i in _varied(test, order)]


def _varied(test: ExitScores, videos: Iterable[int]) -> list[int]:
    seen: Counter[int] = Counter()
    chosen = []
    for i in videos:
        label = int(test.labels_N[i]) if test.labels_N is not None and test.one_label else i
        seen[label] += 1
        if seen[label] <= _PER_CLASS:
            chosen.append(i)
        if len(chosen) == NUM_SHOWN:
            break
    return chosen
