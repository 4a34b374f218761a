"""Whether two sets of scores go together: splits of one network with other videos, or pairs of the same videos.

Shapes: N videos.
"""

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import ScoresError, named
from dynsearch.measures import one_measure
from dynsearch.scores.exit_scores import ExitScores
from dynsearch.tables import composed


def check_disjoint(calibration: ExitScores, other: ExitScores) -> bool:
    """Refuse two splits with videos in common; return whether it could be checked by video ids.

    Without ids only identical scores are noticed.

    Raises:
        ScoresError: Some video is in both; the message names one and says how many.
    """
    if calibration.video_ids_N is not None and other.video_ids_N is not None:
        first, second = (
            set(map(composed, ids.tolist())) for ids in (calibration.video_ids_N, other.video_ids_N)
        )
        both = sorted(first & second)
        if both:
            raise ScoresError(
                f"{len(both)} of {other.num_videos} videos are also in the calibration scores,"
                f" one is {both[0]!r}",
                hint="Results on them would be too good. Give other videos, or insist with --allow-overlap",
            )
        return True
    if _identical(calibration, other):
        raise ScoresError(
            "these are the calibration scores themselves",
            hint="Results on them would be too good. Give other videos, or insist with --allow-overlap",
        )
    return False


def _identical(first: ExitScores, second: ExitScores) -> bool:
    if first.num_videos != second.num_videos or first.num_exits != second.num_exits:
        return False
    for name in ("logits_ENK", "confidence_EN"):
        one, other = getattr(first, name), getattr(second, name)
        if one is not None and other is not None:
            return np.array_equal(one, other, equal_nan=True)
    return False


def differences(calibration: ExitScores, other: ExitScores) -> list[str]:
    """Return how other scores differ from those of calibration in what should be alike, in words.

    Raises:
        ScoresError: They have other numbers of exits or classes: no thresholds of the one are for the other.
        InputError: Their costs are in another measure.
    """
    measure = one_measure([calibration, other])
    sizes = [
        [scores.num_exits, None if scores.logits_ENK is None else scores.logits_ENK.shape[2]]
        for scores in (calibration, other)
    ]
    for name, one, two in zip(("exits", "classes"), *sizes, strict=True):
        if one and two and one != two:
            raise ScoresError(
                f"has {two} {name}, but the calibration scores have {one}",
                hint="Give scores of the same network",
            )
    notes = []
    if not np.allclose(calibration.cost_E, other.cost_E, rtol=1e-5, atol=0):
        costs = [", ".join(f"{cost:.6g}" for cost in scores.cost_E) for scores in (other, calibration)]
        factors = other.cost_E / calibration.cost_E
        times = f", {factors[0]:.6g} times as much" if np.allclose(factors, factors[0]) else ""
        meaning = f" ({measure.meaning})" if measure.meaning else ""
        notes.append(
            f"the exits' costs differ: {costs[0]} {measure.unit}{meaning} here, {costs[1]} in the calibration scores"
            f"{times}; mean costs here are made of these"
        )
    rows = [
        set() if scores.logits_ENK is None else {row.tobytes() for row in scores.logits_ENK[-1]}
        for scores in (calibration, other)
    ]
    shared = len(rows[0] & rows[1])
    if shared > max(1, len(rows[1]) / 10):
        notes.append(f"{shared} videos have the very logits of calibration videos: are they the same?")
    return notes


def places_in(other: ExitScores, scores: ExitScores) -> NDArray[np.intp]:
    """Return (N,): where in ``other`` each video of ``scores`` is; pairs are made by video id alone.

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
