"""Frames as they arrive: a file read from front to back, standard input, a camera."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dynsearch.data.frame_index import opened
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
        with _opened(source) as (container, stream):
            step = 1 / float(stream.average_rate or 25)
            beginning, seconds = None, -step
            for picture in container.decode(stream):
                # The first frame is at 0; one without a time, or after the clock was set back, follows the last.
                due, time = seconds + step, picture.time
                if time is not None and (beginning is None or time - beginning < seconds):
                    beginning = time - due
                seconds = due if time is None else time - beginning
                yield StreamFrame(seconds, picture)
            if seconds < 0:
                raise VideoError("holds no frames", where=source, hint="Give another source")
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(
            f"can't be read as a stream: {error.strerror or error}",
            where=source,
            hint="Give a video file, '-' for standard input, or a camera such as /dev/video0",
        ) from error


def _opened(source: str) -> AbstractContextManager[tuple[Any, Any]]:
    if source == STANDARD_INPUT:
        hint = "A stream's header comes first: pipe it through `ffmpeg -i FILE -c copy -f mpegts -`"
        return opened(sys.stdin.buffer, where="standard input", hint=hint, options={})
    if os.path.exists(source) and stat.S_ISCHR(os.stat(source).st_mode):
        return opened(source, options={}, format="v4l2")
    return opened(checked_path(source))
