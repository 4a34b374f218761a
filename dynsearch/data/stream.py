"""Frames as they arrive: a file read from front to back, standard input, a camera."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dynsearch.data.pyav_reader import as_rgb
from dynsearch.data.video_files import checked_path
from dynsearch.errors import VideoError

STANDARD_INPUT = "-"


@dataclass(frozen=True)
class StreamFrame:
    """A frame of a stream.

    Attributes:
        seconds: When it is shown, from the stream's beginning.
        picture: The decoder's own frame.
    """

    seconds: float
    picture: Any

    def rgb(self) -> npt.NDArray[np.uint8]:
        """Return the pixels, uint8 (H, W, 3), turned as the stream says."""
        return as_rgb(self.picture)


def stream_frames(source: str) -> Iterator[StreamFrame]:
    """Yield the frames of ``source`` one by one; nothing is read ahead.

    Args:
        source: A video file, ``-`` for a video on standard input, or a camera such as ``/dev/video0``.

    Raises:
        VideoError: It can't be opened, or a frame can't be decoded.
    """
    import av

    try:
        with _opened(source) as container:
            if not container.streams.video:
                raise VideoError("has no video in it", where=source, hint="Give another source")
            rate = container.streams.video[0].average_rate
            first = None
            for index, picture in enumerate(container.decode(video=0)):
                if picture.time is None:
                    seconds = index / float(rate or 25)
                else:
                    first = picture.time if first is None else first
                    seconds = picture.time - first
                yield StreamFrame(seconds, picture)
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(
            f"can't be read as a stream: {error.strerror or error}",
            where=source,
            hint="Give a video file, '-' for standard input, or a camera such as /dev/video0",
        ) from error


def _opened(source: str) -> Any:
    import av

    if source == STANDARD_INPUT:
        return av.open(sys.stdin.buffer, "r")
    if os.path.exists(source) and stat.S_ISCHR(os.stat(source).st_mode):
        return av.open(source, "r", format="v4l2")
    return av.open(str(checked_path(source)), "r")
