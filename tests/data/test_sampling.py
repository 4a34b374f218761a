import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynsearch.data.sampling import frames_taken, random_in_segments, sample_rng, segment_centres
from dynsearch.errors import InputError


class FixedDraws:
    """Stands for a generator whose uniform draws are all the same."""

    def __init__(self, value):
        self.value = value

    def random(self, count):
        return np.full(count, self.value)


@pytest.mark.parametrize(
    ("num_video_frames", "num_frames", "expected"),
    [
        (8, 8, [0, 1, 2, 3, 4, 5, 6, 7]),
        (16, 8, [1, 3, 5, 7, 9, 11, 13, 15]),
        (10, 4, [1, 3, 6, 8]),  # segments of 2.5 frames: 1.25, 3.75, 6.25, 8.75
        (100, 3, [16, 50, 83]),
        (5, 1, [2]),
        (3, 8, [0, 0, 0, 1, 1, 2, 2, 2]),  # fewer frames than segments: repeated, in order
        (1, 3, [0, 0, 0]),
    ],
)
def test_segment_centres(num_video_frames, num_frames, expected):
    assert segment_centres(num_video_frames, num_frames).tolist() == expected


@pytest.mark.parametrize(
    ("num_video_frames", "num_frames", "sampling", "expected"),
    [
        (100, 3, "segments", [16, 50, 83]),
        (9, 10, "ends", [0, 1, 2, 3, 4, 5, 6, 7, 8, 8]),
        (
            100,
            10,
            "ends",
            [0, 11, 22, 33, 44, 55, 66, 77, 88, 99],
        ),  # 100 parts of 9 steps, the last held back
        (7, 1, "ends", [0]),
        (1, 3, "ends", [0, 0, 0]),
        (100, 3, "padded", [16, 50, 83]),
        (4, 4, "padded", [0, 1, 2, 3]),
        (2, 5, "padded", [0, 1, 1, 1, 1]),
    ],
)
def test_frames_as_the_published_codes_take_them(num_video_frames, num_frames, sampling, expected):
    taken = frames_taken(num_video_frames, num_frames, sampling)
    assert (taken.tolist(), taken.dtype) == (expected, np.int64)


@pytest.mark.parametrize(
    ("num_video_frames", "num_frames", "draw", "expected"),
    [
        (16, 4, 0.0, [0, 4, 8, 12]),
        (16, 4, 0.99, [3, 7, 11, 15]),
        (10, 4, 0.0, [0, 2, 5, 7]),
        (2, 4, 0.0, [0, 0, 1, 1]),
    ],
)
def test_random_in_segments_with_known_draws(num_video_frames, num_frames, draw, expected):
    assert random_in_segments(num_video_frames, num_frames, FixedDraws(draw)).tolist() == expected


@given(st.integers(1, 300), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_draws_are_rising_valid_frames_one_per_segment(num_video_frames, num_frames, seed):
    drawn = random_in_segments(num_video_frames, num_frames, np.random.default_rng(seed))

    length = num_video_frames / num_frames
    assert (np.diff(drawn) >= 0).all()
    assert drawn.min() >= 0
    assert drawn.max() < num_video_frames
    starts = np.arange(num_frames) * length
    assert (drawn >= np.floor(starts)).all()
    assert (drawn <= starts + length).all()


def test_every_frame_of_a_segment_is_drawn_equally_often():
    rng = np.random.default_rng(0)
    counts = np.bincount(np.concatenate([random_in_segments(12, 3, rng) for _ in range(4000)]), minlength=12)

    np.testing.assert_allclose(counts, 1000, rtol=0.12)


def test_sample_rng_depends_on_all_three_numbers():
    draws = {sample_rng(*key).random() for key in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0)]}

    assert len(draws) == 4


@pytest.mark.parametrize(("num_video_frames", "num_frames"), [(0, 4), (4, 0), (-1, 2)])
def test_numbers_below_one_are_refused(num_video_frames, num_frames):
    with pytest.raises(InputError, match="at least 1 frame"):
        segment_centres(num_video_frames, num_frames)
