"""Writes frames as an H.264 mp4 file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt


def write_h264(path: Path, frames: npt.NDArray[np.uint8], *, frames_per_second: int = 12) -> None:
    """Write a video with libx264, single-threaded and without B-frames, so that it is always the same.

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
        stream.options = {"crf": "20", "preset": "veryfast", "bf": "0", "threads": "1"}
        for index, array in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(array, format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
