"""Two sets of scores of the same videos, whatever the order of their files: pairs are made by video id alone.

Shapes: N videos.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import ScoresError, named
from dynsearch.scores.exit_scores import ExitScores


def places_in(other: ExitScores, scores: ExitScores) -> NDArray[np.intp]:
    """Return (N,): where in ``other`` each video of ``scores`` is.

    Raises:
        ScoresError: They are not of the same videos, each once, or have no ids to tell by.
    """
    if other.video_ids_N is None or scores.video_ids_N is None:
        raise ScoresError(
            "have no video_ids", where="scores to be paired", hint="Score the videos by their names"
        )
    order = np.argsort(other.video_ids_N)
    sorted_N = other.video_ids_N[order]
    for ids_N in (sorted_N, np.sort(scores.video_ids_N)):
        twice = ids_N[1:][ids_N[1:] == ids_N[:-1]]
        if twice.size:
            raise ScoresError(f"video {named(str(twice[0]))} is there twice", where="scores to be paired")
    single = np.setxor1d(sorted_N, scores.video_ids_N)
    if single.size:
        raise ScoresError(
            f"are of different videos: {single.size} are in one of the two only, first {named(str(single[0]))}",
            where="scores to be paired",
        )
    return order[np.searchsorted(sorted_N, scores.video_ids_N)]


def of_same_videos(scores: ExitScores, other: ExitScores) -> bool:
    """Return whether two sets of scores are of the same videos; without ids, whether they can be."""
    if scores.video_ids_N is None or other.video_ids_N is None:
        return scores.num_videos == other.num_videos
    return np.array_equal(np.sort(scores.video_ids_N), np.sort(other.video_ids_N))
