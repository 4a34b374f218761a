"""Videos with the network's answer written into them."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from dynsearch.errors import InputError
from dynsearch.files import written_whole

Picture = npt.NDArray[np.uint8]

SUFFIXES = (".mp4", ".mkv", ".mov")

OWN_VIDEO = "labelled by dynsearch"
"""A tag of these videos."""

_TICK = Fraction(1, 1000)  # seconds


class AnnotatedVideo:
    """Writes frames with text below them as an H.264 video.

    Args:
        container: The open file.
    """

    def __init__(self, container: Any) -> None:
        self._container = container
        self._stream: Any = None
        self._last = -1
        self._size = (0, 0)

    def add(self, seconds: float, frame: Picture, lines: tuple[str, ...], *, looked_at: bool = False) -> None:
        """Write one frame.

        Args:
            seconds: When it is shown; frames come in order.
            frame: uint8 (H, W, 3), RGB.
            lines: Written below the picture.
            looked_at: Whether the network looks at this frame; it gets a bar at its top.
        """
        import av

        if self._stream is None:
            self._open(frame, len(lines))
        picture = Image.new("RGB", self._size, "black")
        height = self._size[1] - self._text_height
        picture.paste(Image.fromarray(frame).resize((self._size[0], height)), (0, 0))
        draw = ImageDraw.Draw(picture)
        if looked_at:
            draw.rectangle((0, 0, self._size[0], max(2, height // 60)), fill="#ffb000")
        for i, line in enumerate(lines):
            draw.text(
                (self._line // 3, height + self._line // 4 + i * self._line),
                line,
                font=self._font,
                fill="white",
            )
        shown = av.VideoFrame.from_image(picture)
        self._last = max(self._last + 1, round(seconds / _TICK))
        shown.pts, shown.time_base = self._last, _TICK
        self._container.mux(self._stream.encode(shown))

    def close(self) -> None:
        """Write what the encoder still holds."""
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))

    def _open(self, frame: Picture, num_lines: int) -> None:
        """Begin the video: small pictures are enlarged until text on them can be read."""
        height, width = frame.shape[:2]
        scale = max(1.0, 480 / width)
        width, height = (round(side * scale) // 2 * 2 for side in (width, height))
        self._line = max(16, width // 26)
        self._font = ImageFont.load_default(self._line * 0.75)
        self._text_height = (num_lines * self._line + self._line // 2) // 2 * 2
        self._size = (width, height + self._text_height)
        self._stream = self._container.add_stream("libx264", rate=25)
        self._stream.codec_context.time_base = _TICK
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"


@contextmanager
def annotated_video(path: Path) -> Iterator[AnnotatedVideo]:
    """Yield an :class:`AnnotatedVideo` that becomes ``path`` when the block ends well.

    Raises:
        InputError: The name does not end like a video's.
    """
    import av

    if path.suffix.lower() not in SUFFIXES:
        raise InputError("is no name of a video", where=str(path), hint=f"End it in {', '.join(SUFFIXES)}")
    with written_whole(path) as temporary, av.open(str(temporary), "w") as container:
        container.metadata["comment"] = OWN_VIDEO
        video = AnnotatedVideo(container)
        yield video
        video.close()
