"""Paired figures hang on the videos' ids, never on the order of the files."""

import numpy as np
import pytest

from dynsearch.errors import ScoresError
from dynsearch.frontier import bootstrap_difference, merge
from dynsearch.scores import ExitScores
from dynsearch.scores.overlap import of_same_videos, places_in

IDS = [f"v{n}" for n in range(40)]


def scores(seed=0, ids=IDS):
    rng = np.random.default_rng(seed)
    labels_N = rng.integers(0, 3, 40)[: len(ids)]
    return ExitScores.from_logits(
        rng.normal(size=(2, len(ids), 3)).astype(np.float32), labels_N, [1.0, 2.0], video_ids=ids
    )


def test_another_order_of_the_same_videos_gives_the_same_paired_figure():
    first, second = scores(0), scores(1)
    other = second.select(np.random.default_rng(2).permutation(40))

    assert np.array_equal(other.video_ids_N[places_in(other, first)], first.video_ids_N)
    paired = other.correct()[-1][places_in(other, first)]
    assert np.array_equal(paired, second.correct()[-1])
    by_place = bootstrap_difference(first.correct()[-1], other.correct()[-1])
    assert bootstrap_difference(first.correct()[-1], paired) != by_place
    assert of_same_videos(first, other)
    assert not of_same_videos(first, scores(ids=IDS[:30]))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([*IDS[:39], "w"], "are of different videos: 2 are in one of the two only, first v39"),
        (IDS[:30], "are of different videos: 10 are in one of the two only, first v30"),
        ([*IDS[:39], "v0"], "video v0 is there twice"),
        (None, "have no video_ids"),
    ],
)
def test_what_can_not_be_paired_is_refused(ids, message):
    other = scores(1, IDS if ids is None else ids)
    if ids is None:
        other = ExitScores.from_logits(other.logits_ENK, other.labels_N, other.cost_E)
    for pair in ((scores(), other), (other, scores())):
        with pytest.raises(ScoresError, match=message):
            places_in(*pair)


@pytest.mark.reliability(
    "Statistics",
    "plans that were measured on different videos, merged to one frontier",
    happens="refused",
    sees="`b is measured on other videos than a ... Points of one frontier are measured on the same videos`",
)
@pytest.mark.parametrize("changed", [0, 1])
def test_plans_on_different_videos_make_no_frontier(changed):
    other = [scores(1), scores(1)]
    other[changed] = scores(1, IDS[:30])
    with pytest.raises(ScoresError, match="b is measured on other videos than a"):
        merge({"a": (scores(), scores()), "b": tuple(other)})
    assert merge({"a": (scores(), scores()), "b": (scores(1), scores(1).select(range(39, -1, -1)))})
