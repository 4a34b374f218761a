"""Labels for streams: windows, when answers come, and streams that stutter or end."""

from dataclasses import replace

import numpy as np
import pytest

from dynsearch.data.stream import StreamFrame, stream_frames
from dynsearch.errors import VideoError
from dynsearch.export.loaded import LoadedNetwork
from dynsearch.export.stream import WindowAnswer, predict_stream
from dynsearch.thresholds import ExitPolicy
from tests.cli.miniature import write_webm
from tests.export.bundles import toy_bundle
from tests.plans import small_plan

NEVER = float("inf")


class Picture:
    """A decoder's frame: one grey."""

    rotation = 0

    def __init__(self, level):
        self.level = level

    def to_ndarray(self, format):
        return np.full((60, 60, 3), self.level % 256, dtype=np.uint8)


def stream(seconds, rate=10):
    return [StreamFrame(i / rate, Picture(i)) for i in range(round(seconds * rate))]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    plan = small_plan("2x3", "4x5", order="sequential", image_size=48)
    return LoadedNetwork(toy_bundle(tmp_path_factory.mktemp("stream") / "net", plan))


def with_limit(loaded, limit):
    policy = ExitPolicy((limit, -NEVER), plan_id=loaded.bundle.plan.plan_id)
    loaded.bundle = replace(loaded.bundle, policy=policy)
    return loaded


def answers(loaded, frames, window=2.0):
    return [
        event for event in predict_stream(loaded, frames, window=window) if isinstance(event, WindowAnswer)
    ]


def test_one_answer_a_window_each_as_soon_as_its_last_frame_is_there(loaded):
    full = answers(with_limit(loaded, NEVER), stream(4))
    # Four frames of 2 s: at 0.25, 0.75, 1.25 and 1.75; the camera shows ten a second.
    assert [(a.start, a.decided, a.complete) for a in full] == [(0, 1.8, True), (2, 3.8, True)]
    assert {a.prediction.exit for a in full} == {2}
    early = answers(with_limit(loaded, -1.0), stream(4))
    assert [(a.start, a.decided, a.prediction.exit) for a in early] == [(0, 0.8, 1), (2, 2.8, 1)]


def test_an_answer_is_that_of_the_frames_shown_when_they_were_due(loaded):
    (answer,) = answers(with_limit(loaded, NEVER), stream(2))
    frames = np.stack([Picture(i).to_ndarray("rgb24") for i in (3, 8, 13, 18)])
    result = loaded.network.forward_until(loaded.prepare(frames)[None], loaded.bundle.policy)
    expected = loaded.describe(result.logits[0], 1)
    assert answer.prediction.label == expected.label
    assert answer.prediction.probability == pytest.approx(expected.probability, abs=1e-5)


def test_a_slow_camera_and_one_that_stood_still(loaded):
    with_limit(loaded, NEVER)
    slow = answers(loaded, stream(6, rate=1))
    assert [a.start for a in slow] == [0, 2, 4][: len(slow)]
    assert len(slow) >= 2
    still = [*stream(2), *(replace(frame, seconds=frame.seconds + 9) for frame in stream(2))]
    assert [(a.start, a.complete) for a in answers(loaded, still)] == [(0, True), (8, True), (10, False)]


def test_a_stream_that_ends_gives_what_the_last_exit_met_says(loaded):
    with_limit(loaded, NEVER)
    (cut,) = answers(loaded, stream(1))
    assert (cut.complete, cut.prediction.exit) == (False, 1)
    assert answers(loaded, stream(0.5)) == []


def test_other_orders_answer_when_the_window_is_whole(tmp_path):
    loaded = LoadedNetwork(
        toy_bundle(tmp_path / "net", small_plan("1x3", "4x5", order="paper", image_size=48))
    )
    found = answers(loaded, stream(2))
    frames = np.stack([Picture(i).to_ndarray("rgb24") for i in (3, 8, 13, 18)])
    result = loaded.network.forward_until(loaded.prepare(frames)[None], loaded.bundle.policy)
    assert [a.prediction.exit - 1 for a in found] == result.exit.tolist()
    assert answers(loaded, stream(1)) == []


def test_frames_of_a_file_are_those_of_the_reader(tmp_path):
    from dynsearch.data.reader import read_frames

    write_webm(tmp_path / "video.webm", (2, 0), seed=1)
    shown = list(stream_frames(str(tmp_path / "video.webm")))
    assert [round(frame.seconds * 12) for frame in shown] == list(range(16))
    np.testing.assert_array_equal(shown[7].rgb(), read_frames(tmp_path / "video.webm", [7])[0])


@pytest.mark.parametrize("content", [None, b"no video"])
def test_what_is_no_stream_is_said(tmp_path, content):
    path = tmp_path / "broken.mp4"
    if content:
        path.write_bytes(content)
    with pytest.raises(VideoError, match=r"broken\.mp4"):
        list(stream_frames(str(path)))
