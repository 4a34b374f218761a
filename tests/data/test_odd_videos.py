"""Videos of every odd kind, made here: read exactly, or refused with a message. Frames carry their index as bars."""

import av
import numpy as np
import pytest

from dynsearch.data import num_frames, read_frames
from dynsearch.errors import VideoError
from tests.data import barcode
from tests.data.videos import encode


def frames(count, **size):
    return [barcode.draw(index % 256, **size) for index in range(count)]


def one_frame(folder):
    return encode(folder / "v.mp4", frames(1)), 1


def variable_rate(folder):
    """Write 24 frames that are shown for one to five hundredths of a second, and one for a second and a half."""
    path, clock = folder / "v.mp4", 0
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=100)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        for index, picture in enumerate(frames(24)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, clock = clock, clock + (150 if index == 10 else 1 + index % 5)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path, 24


def odd_size(folder):
    path = folder / "v.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.height, stream.width, stream.pix_fmt = 67, 101, "yuv444p"
        for picture in frames(20, height=67, width=101):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path, 20


def four_k(folder):
    return encode(folder / "v.mp4", frames(3, height=2160, width=3840), preset="ultrafast"), 3


def very_long(folder):
    """Write an hour at three frames a second, small and cheap."""
    return encode(folder / "v.avi", frames(10_800, height=32, width=64), "mpeg4", rate=3, bf="0"), 10_800


def wrong_extension(folder):
    return encode(folder / "real.mp4", frames(20)).rename(folder / "v.avi"), 20


ODD = {
    "one frame": one_frame,
    "frames shown for different times": variable_rate,
    "an odd width and height": odd_size,
    "3840 x 2160 pixels": four_k,
    "10,800 frames": very_long,
    "the ending of another format": wrong_extension,
}


@pytest.mark.reliability(
    "Files",
    "a video of one frame, of variable rate, odd-sized, 4K, an hour long, or with the ending of another format",
    happens="every frame read is the one asked for, by training's reader and the strict one",
)
@pytest.mark.parametrize("kind", ODD)
def test_odd_videos_are_read_exactly(tmp_path, kind):
    path, count = ODD[kind](tmp_path)
    asked = sorted({0, count // 3, count // 2, count - 1})
    assert num_frames(path) == count
    for strict in (True, False):
        found = read_frames(path, asked, strict=strict)
        assert [barcode.read(frame) for frame in found] == [index % 256 for index in asked]


@pytest.mark.reliability("Files", "a rotated video", happens="is turned as players turn it")
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (270, 3)])
def test_rotated_videos_are_turned(tmp_path, degrees, turns, strict):
    upright = encode(tmp_path / "v.mp4", frames(12))
    turned = tmp_path / "turned.mp4"
    turned.write_bytes(with_rotation(upright.read_bytes(), degrees))

    plain = read_frames(upright, [0, 5, 11], strict=strict)
    found = read_frames(turned, [0, 5, 11], strict=strict)

    expected = np.rot90(plain, -turns, axes=(1, 2)).astype(int)  # clockwise
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 1


def with_rotation(content, degrees):
    """Return an MP4 whose track header's matrix turns the picture."""
    one = 1 << 16
    matrix = {90: (0, one, -one, 0), 180: (-one, 0, 0, -one), 270: (0, -one, one, 0)}[degrees]
    a, b, c, d = (value.to_bytes(4, "big", signed=True) for value in matrix)
    zero, unit = bytes(4), (1 << 30).to_bytes(4, "big")
    at = content.index(b"tkhd") + 4 + 40
    return content[:at] + a + b + zero + c + d + zero + bytes(8) + unit + content[at + 36 :]


@pytest.mark.reliability(
    "Files", "a file with sound only", happens="is refused", sees="`has no readable video stream`"
)
def test_a_file_with_sound_only_is_refused(tmp_path):
    path = tmp_path / "v.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    for strict in (True, False):
        with pytest.raises(VideoError, match=r"v\.mp4: has no readable video stream"):
            read_frames(path, [0], strict=strict)
