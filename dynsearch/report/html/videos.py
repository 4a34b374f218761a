"""Which test videos stop early and which go to the end (the idea of the paper's Figure 8).

Shapes: N videos.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dynsearch.report.html.facts import StudyFacts
from dynsearch.report.html.measures import stopping_exit

NUM_SHOWN = 8
_PER_CLASS = 2


@dataclass(frozen=True)
class ShownVideo:
    """One test video.

    Attributes:
        label: Its class, in words.
        answer: What the network answered where it stopped, in words; empty where unknown.
        exit: Where it stopped, from 1.
        cost: What that cost.
        confidence: What its first exit's threshold was compared with.
        thumbnail: A JPEG picture; empty where there is none.
    """

    video_id: str
    label: str
    answer: str
    right: bool
    exit: int
    cost: float
    confidence: float
    thumbnail: bytes = b""


def shown_videos(facts: StudyFacts) -> tuple[list[ShownVideo], list[ShownVideo]]:
    """Return a few videos that stop at the first exit in use, the surest first, and a few that go on to the last.

    At most two of a class are shown. Both lists are empty where all videos stop at one exit or have no names.
    """
    test = facts.test
    exit_N = stopping_exit(facts)
    if test.video_ids_N is None or exit_N.min() == exit_N.max():
        return [], []
    policy = facts.chosen.test.policy
    confidence_EN = policy.confidence_of(test)
    first = int(exit_N.min())
    surest_first = np.argsort(-confidence_EN[first], kind="stable")
    right_N = test.correct()[exit_N, np.arange(len(exit_N))]
    early = (int(i) for i in surest_first if exit_N[i] == first and right_N[i])
    late = (int(i) for i in surest_first[::-1] if exit_N[i] == exit_N.max())
    confidence_N = confidence_EN[first]
    return tuple(  # type: ignore[return-value]
        [
            _shown(facts, i, int(exit_N[i]), bool(right_N[i]), float(confidence_N[i]))
            for i in _varied(facts, order)
        ]
        for order in (early, late)
    )


def _varied(facts: StudyFacts, videos: Iterable[int]) -> list[int]:
    labels_N = facts.test.labels_N
    seen: Counter[int] = Counter()
    chosen = []
    for i in videos:
        label = int(labels_N[i]) if labels_N is not None and facts.test.one_label else i
        seen[label] += 1
        if seen[label] <= _PER_CLASS:
            chosen.append(i)
        if len(chosen) == NUM_SHOWN:
            break
    return chosen


def _shown(facts: StudyFacts, video: int, exit_: int, right: bool, confidence: float) -> ShownVideo:
    test = facts.test
    assert test.video_ids_N is not None
    video_id = str(test.video_ids_N[video])
    label = answer = ""
    if test.labels_N is not None and test.one_label:
        label = facts.class_name(int(test.labels_N[video]))
    if test.logits_ENK is not None:
        answer = facts.class_name(int(test.logits_ENK[exit_, video].argmax()))
    return ShownVideo(
        video_id, label, answer, right, exit_ + 1, float(test.cost_E[exit_]), confidence,
        facts.thumbnails.get(video_id, b""),
    )  # fmt: skip
