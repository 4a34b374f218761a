"""One file, four ways to read it: decord, PyAV, as a stream, by exported graphs' run.py. Frames carry their index."""

import av
import numpy as np
import pytest

from dynsearch.data import read_frames
from dynsearch.data.stream import stream_frames
from dynsearch.errors import VideoError
from dynsearch.export.graphs.write import runner_source
from tests.data import barcode
from tests.data.test_odd_videos import with_rotation

COUNT = 24
COVER = (1, "mjpeg", "yuvj420p")
VIDEO = (COUNT, "libx264", "yuv420p")
SHORTER = (COUNT // 2, "libx264", "yuv420p")
TAG = "title in latin 1"


def written(path, *streams, marked=None, default=None, sound=False):
    """Write streams (count, codec, pixel format) into one file; the one ``marked`` is said to be a cover."""
    with av.open(str(path), "w") as container:
        container.metadata["title"] = TAG
        opened = []
        for index, (_, codec, pixels) in enumerate(streams):
            stream = container.add_stream(codec, rate=12)
            stream.width, stream.height, stream.pix_fmt = 96, 64, pixels
            if index == marked:
                stream.disposition = av.stream.Disposition.attached_pic
            if index == default:
                stream.disposition = av.stream.Disposition.default
            opened.append(stream)
        if sound:
            heard = container.add_stream("aac", rate=16_000)
            silence = av.AudioFrame.from_ndarray(
                np.zeros((1, 16_000), np.float32), format="fltp", layout="mono"
            )
            silence.sample_rate = 16_000
            container.mux([*heard.encode(silence), *heard.encode(None)])
        container.start_encoding()
        for stream, (count, _, _) in zip(opened, streams, strict=True):
            for index in range(count):
                picture = barcode.draw(index if count > 1 else 255)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
    return path


def of(*streams, **more):
    return lambda path: written(path, *streams, **more)


def latin_tags(path):
    content = written(path, VIDEO).read_bytes()
    assert TAG.encode() in content
    path.write_bytes(content.replace(TAG.encode(), b"\x8c\xa0\xff" + TAG.encode()[3:]))
    return path


def cut(path, share=0.7):
    content = written(path, VIDEO).read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path


def turned(path):
    path.write_bytes(with_rotation(written(path, VIDEO).read_bytes(), 90))
    return path


def twice(path):
    path.write_bytes(2 * written(path, VIDEO).read_bytes())
    return path


def variable_rate(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=100)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for index in range(COUNT):
            frame = av.VideoFrame.from_ndarray(barcode.draw(index), format="rgb24")
            frame.pts = index * index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def edited(path):
    """Write a file that is shown from its seventh frame on."""
    source = written(path.with_name("source.mp4"), VIDEO)
    with (
        av.open(str(source)) as given,
        av.open(str(path), "w", container_options={"avoid_negative_ts": "disabled"}) as container,
    ):
        stream = container.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                ticks = round(6 / 12 / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - ticks, packet.dts - ticks, stream
                container.mux(packet)
    return path


NO_VIDEO, DAMAGED, HEADER = "has no readable video stream", "is damaged", "its header can't be read"
COVER_ONLY = "has no readable video stream but a cover picture"
B_FRAMES, TWO = "AVI with B-frames", "it holds 2 videos, and decord may take another"
WAYS = ("training", "decord", "predict", "stream", "run.py")
# What was written, its name, how; then the frames or the message of training, decord, predict, a stream and run.py.
KINDS = [
    ("tags in Latin 1", "v.mp4", latin_tags, COUNT, COUNT, COUNT, COUNT, COUNT),
    ("tags in Latin 1", "v.mkv", latin_tags, COUNT, COUNT, COUNT, COUNT, COUNT),
    ("tags in Latin 1", "v.avi", latin_tags, COUNT, B_FRAMES, COUNT, COUNT, COUNT),
    ("a cover first", "v.mkv", of(COVER, VIDEO), COUNT, COUNT, COUNT, COUNT, COUNT),
    ("a cover first", "v.mp4", of(COVER, VIDEO), COUNT, COUNT, COUNT, COUNT, COUNT),
    ("a cover as default", "v.mkv", of(COVER, VIDEO, default=0), COUNT, COUNT, COUNT, COUNT, COUNT),
    ("a cover last", "v.mkv", of(VIDEO, COVER, default=1), COUNT, COUNT, COUNT, COUNT, COUNT),
    ("a cover that says so", "v.mp4", of(COVER, VIDEO, marked=0), COUNT, COUNT, COUNT, COUNT, COUNT),
    ("one after the video", "v.mp4", of(VIDEO, COVER, marked=1), COUNT, COUNT, COUNT, COUNT, COUNT),
    ("pictures as a video", "v.avi", of((COUNT, "mjpeg", "yuvj420p")), COUNT, COUNT, COUNT, COUNT, COUNT),
    ("two videos", "v.mp4", of(VIDEO, SHORTER), COUNT, TWO, COUNT, COUNT, COUNT),
    ("two, the second shown", "v.mkv", of(SHORTER, VIDEO, default=1), COUNT, TWO, COUNT, COUNT, COUNT),
    ("sound only", "v.mp4", of(sound=True), NO_VIDEO, NO_VIDEO, NO_VIDEO, NO_VIDEO, NO_VIDEO),
    ("sound and a cover", "v.mp4", of(COVER, marked=0, sound=True), *5 * [COVER_ONLY]),
    ("no frame", "v.mp4", of((0, *VIDEO[1:])), NO_VIDEO, NO_VIDEO, NO_VIDEO, NO_VIDEO, NO_VIDEO),
    ("no frame", "v.avi", of((0, *VIDEO[1:])), *5 * ["holds no frames"]),
    ("turned by a quarter", "v.mp4", turned, COUNT, COUNT, COUNT, COUNT, COUNT),
    ("variable rate", "v.mp4", variable_rate, COUNT, COUNT, COUNT, COUNT, COUNT),
    ("an edit list", "v.mp4", edited, 18, "some frames are not shown", 18, 18, 18),
    ("times missing", "v.avi", of((COUNT, "mpeg4", "yuv420p")), COUNT, COUNT, COUNT, COUNT, COUNT),
    ("grey", "v.mp4", of((COUNT, "libx264", "gray")), COUNT, COUNT, COUNT, COUNT, COUNT),
    ("10 bit", "v.mp4", of((COUNT, "libx264", "yuv420p10le")), COUNT, COUNT, COUNT, COUNT, COUNT),
    ("alpha", "v.webm", of((COUNT, "libvpx-vp9", "yuva420p")), COUNT, COUNT, COUNT, COUNT, COUNT),
    ("alpha", "v.mov", of((COUNT, "qtrle", "argb")), COUNT, COUNT, COUNT, COUNT, COUNT),
    ("RGB", "v.mkv", of((COUNT, "ffv1", "bgr0")), COUNT, COUNT, COUNT, COUNT, COUNT),
    ("cut off", "v.mp4", cut, NO_VIDEO, NO_VIDEO, NO_VIDEO, NO_VIDEO, NO_VIDEO),
    # A stream ends where it ends; training conceals damage, and the data check names it.
    ("cut off", "v.mkv", cut, 6, 6, DAMAGED, 6, DAMAGED),
    ("cut off", "v.avi", cut, HEADER, HEADER, HEADER, HEADER, HEADER),
    ("two ends joined", "v.ts", twice, 2 * COUNT, "MPEG stream", DAMAGED, 2 * COUNT, DAMAGED),
]  # fmt: skip


@pytest.fixture(scope="module")
def run_py():
    names = {}
    exec(compile(runner_source(), "run.py", "exec"), names)
    return names


@pytest.mark.reliability(
    "Files",
    "tags that are not UTF-8, cover pictures before or after the video, marked or not, several videos, turned, edited, "
    "cut off, grey, 10 bit, alpha: as a file, as a stream and by exported graphs' `run.py`",
    happens="all take the same frames of the same video, or say why not",
    sees="`has no readable video stream but a cover picture`, `decord may show other frames: ...`",
)
@pytest.mark.parametrize("row", KINDS, ids=lambda row: " ".join(row[:2]))
def test_every_way_takes_the_same_frames_or_says_why_not(tmp_path, run_py, row):
    kind, name, write, *outcomes = row
    path, expected = write(tmp_path / name), dict(zip(WAYS, outcomes, strict=True))
    ways = {
        "training": lambda: read_frames(path, range, strict=False),
        "decord": lambda: read_frames(path, range, strict=False, reader="decord"),
        "predict": lambda: read_frames(path, range),
        "stream": lambda: [frame.rgb() for frame in stream_frames(str(path))],
        "run.py": lambda: run_py["PyAVReader"]().read(path, range, strict=True),
    }
    pictures = []
    for way in WAYS:
        if isinstance(expected[way], str):
            with pytest.raises((VideoError, run_py["VideoError"])) as caught:
                ways[way]()
            assert expected[way] in str(caught.value), way
            continue
        frames = list(ways[way]())
        upright = [np.rot90(frame) if kind.startswith("turned") else frame for frame in frames]
        first = COUNT - 18 if kind == "an edit list" else 0
        assert [barcode.read(frame) for frame in upright] == [
            (first + i) % COUNT for i in range(expected[way])
        ], way
        pictures += [frames] if way != "decord" else []
    for others in pictures[1:]:
        assert all(np.array_equal(*pair) for pair in zip(pictures[0], others, strict=True))


@pytest.mark.reliability(
    "Files", "a stream whose clock is set back, or that says no times", happens="its seconds go on rising"
)
def test_a_clock_that_is_set_back_does_not_stop_the_windows(tmp_path):
    seconds = [frame.seconds for frame in stream_frames(str(twice(tmp_path / "v.ts")))]
    assert np.diff(seconds) == pytest.approx(1 / 12, abs=1e-4)
    assert seconds[0] == 0
