"""Writes frames as an H.264 mp4 file."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

_FRAMES_PER_SECOND = 12


def write_h264(path: Path, frames: npt.NDArray[np.uint8]) -> None:
    """Write frames, uint8 (T, H, W, 3), RGB, H and W even, with libx264: always the same file for the same frames.

    For that it is single-threaded and without libx264's look-ahead and adaptive quantisation, which give
    other bytes from run to run or from one processor to another, and colours are converted here, in whole
    numbers, because FFmpeg's converter rounds differently from one memory address to another.
    """
    import av

    with av.open(str(path), "w", format="mp4", container_options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=_FRAMES_PER_SECOND)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, _FRAMES_PER_SECOND)
        stream.options = {"preset": "ultrafast", "crf": "23", "threads": "1"}
        for index, planes in enumerate(_to_yuv420(frames)):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _to_yuv420(frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the Y, U and V planes of each frame below each other, uint8 (T, H * 3 / 2, W).

    ITU-R BT.601, limited range, with coefficients in 256ths. U and V are means over 2 x 2 pixels; each
    fills a quarter of the frame's area.
    """
    num_frames, height, width, _ = frames.shape
    wide = frames.astype(np.int32)
    rows = wide[:, ::2] + wide[:, 1::2]
    quads = rows[:, :, ::2] + rows[:, :, 1::2]
    planes = [
        16 + (_weighted(wide, 66, 129, 25) + 128 >> 8),
        128 + (_weighted(quads, -38, -74, 112) + 512 >> 10),
        128 + (_weighted(quads, 112, -94, -18) + 512 >> 10),
    ]
    flat = np.concatenate([plane.reshape(num_frames, -1) for plane in planes], axis=1)
    return flat.reshape(num_frames, height * 3 // 2, width).astype(np.uint8)


def _weighted(rgb: npt.NDArray[np.int32], red: int, green: int, blue: int) -> npt.NDArray[np.int32]:
    total: npt.NDArray[np.int32] = red * rgb[..., 0] + green * rgb[..., 1] + blue * rgb[..., 2]
    return total
