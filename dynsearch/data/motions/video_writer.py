"""Writes frames as an H.264 mp4 file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

_TO_YUV = np.array([[66, 129, 25], [-38, -74, 112], [112, -94, -18]], dtype=np.int32)
"""ITU-R BT.601, limited range, in 256ths: from RGB to Y - 16, U - 128 and V - 128."""


_SAME_ALWAYS = "asm=0:mbtree=0:rc-lookahead=0:weightp=0"
"""libx264's look-ahead in assembler gives other bytes from run to run, even on one thread."""


def write_h264(path: Path, frames: npt.NDArray[np.uint8], *, frames_per_second: int = 12) -> None:
    """Write a video with libx264, always the same file for the same frames.

    For that it is single-threaded, and colours are converted here, in whole numbers: FFmpeg's converter
    rounds differently from one memory address to another.

    Args:
        path: The mp4 file to write.
        frames: uint8 (T, H, W, 3), RGB; H and W even.
        frames_per_second: Its frame rate.
    """
    import av

    with av.open(str(path), "w", format="mp4", container_options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=frames_per_second)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, frames_per_second)
        stream.options = {
            "crf": "20",
            "preset": "veryfast",
            "bf": "0",
            "threads": "1",
            "x264-params": _SAME_ALWAYS,
        }
        for index, planes in enumerate(_to_yuv420(frames)):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _to_yuv420(frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the Y, U and V planes of each frame below each other, uint8 (T, H * 3 / 2, W).

    U and V are means over 2 x 2 pixels; each fills a quarter of the frame's area.
    """
    num_frames, height, width, _ = frames.shape
    rgb = frames.astype(np.int32)
    quads = rgb.reshape(num_frames, height // 2, 2, width // 2, 2, 3).sum(axis=(2, 4))
    luma, blue, red = _TO_YUV
    planes = [
        16 + ((rgb * luma).sum(axis=-1) + 128 >> 8),
        128 + ((quads * blue).sum(axis=-1) + 512 >> 10),
        128 + ((quads * red).sum(axis=-1) + 512 >> 10),
    ]
    flat = np.concatenate([plane.reshape(num_frames, -1) for plane in planes], axis=1)
    return flat.reshape(num_frames, height * 3 // 2, width).astype(np.uint8)
