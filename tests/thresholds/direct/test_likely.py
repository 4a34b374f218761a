import numpy as np
import pytest

from dynsearch.thresholds.direct.likely import likely_right
from dynsearch.thresholds.direct.smoothing import BANDWIDTH
from tests.thresholds.tables import random_scores

TRUTH = random_scores(7, num_exits=4, num_videos=40_000)


def draw(num_videos, seed=0):
    videos = np.random.default_rng(seed).permutation(TRUTH.num_videos)[:num_videos]
    return TRUTH.confidence()[:, videos], TRUTH.correct()[:, videos]


def bin_rates(confidence_EN):
    """How often each exit is right among all videos about as sure as each of these, by sorting all."""
    rates = []
    for row, every, right in zip(confidence_EN, TRUTH.confidence(), TRUTH.correct(), strict=True):
        order = np.argsort(every)
        around = np.convolve(right[order], np.ones(801) / 801, mode="same")
        rates.append(around[np.searchsorted(every[order], row).clip(400, len(every) - 401)])
    return np.array(rates)


@pytest.mark.parametrize(("num_videos", "most"), [(100, 0.5), (300, 1.0), (1000, 1.0)])
def test_it_is_nearer_to_how_often_exits_are_right_than_labels_are(num_videos, most):
    gained = []
    for seed in range(4):
        confidence, correct = draw(num_videos, seed)
        truth = bin_rates(confidence)
        found = likely_right(confidence, correct, 0.5 * BANDWIDTH)
        gained.append(np.square(found - truth).mean() / np.square(correct - truth).mean())
    assert np.mean(gained) < most


def test_it_follows_the_videos_and_reads_ranks_only():
    confidence, correct = draw(150)
    order = np.random.default_rng(1).permutation(150)
    found = likely_right(confidence, correct, BANDWIDTH)
    np.testing.assert_allclose(
        likely_right(confidence[:, order], correct[:, order], BANDWIDTH), found[:, order]
    )
    np.testing.assert_array_equal(likely_right(np.exp(3 * confidence), correct, BANDWIDTH), found)


def test_what_no_fit_of_ranks_can_say_is_taken_from_labels_where_there_are_enough():
    """An exit that is right exactly where it is neither sure nor unsure."""
    rng = np.random.default_rng(0)
    errors = []
    for num_videos in (60, 3000):
        confidence = rng.random((2, num_videos))
        correct = np.abs(confidence - 0.5) < 0.2
        found = likely_right(confidence, correct, 0.5 * BANDWIDTH)
        errors.append(np.abs(found - correct).mean())
    assert errors[1] < 0.1


@pytest.mark.parametrize("num_videos", [1, 2, 9, 12])
@pytest.mark.parametrize("right", [False, True])
def test_the_smallest_tables_have_finite_answers(num_videos, right):
    confidence = np.full((3, num_videos), 0.5)
    confidence[1] = np.nan
    found = likely_right(confidence, np.full((3, num_videos), right), BANDWIDTH)
    assert ((found >= 0) & (found <= 1)).all()
    assert ((found > 0.5) == right).all()
