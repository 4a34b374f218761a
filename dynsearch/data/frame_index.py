"""What a video file's packets say, read without decoding: its frames, and whether they can be trusted.

decord finds frame i by packet order, which is wrong where packets carry no time, are hidden, or are not in
the order they are shown (B-frames in AVI, open groups of pictures, edit lists, MPEG streams). All that can be
seen from the packets alone, in a few milliseconds.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynsearch.errors import VideoError

OPEN_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,ogg",
}
"""Only local files, only containers of video: a playlist or a list of files is never opened."""

REPLACE = "Replace the file or take it out of the annotation files; `dynsearch data check` finds all such"

Frames = npt.NDArray[np.uint8]
"""Frames of a video, (T, H, W, 3), RGB."""

Choose = Callable[[int], Sequence[int]]
"""Gives sorted, distinct, valid frame indices from the number of frames."""

FileState = tuple[str, int, int]
"""Path, size and time of change."""

_known: dict[FileState, FrameIndex] = {}
_MAX_KNOWN = 2**18
_PICTURES = ("mjpeg", "png", "bmp", "gif", "webp", "tiff")
"""Codecs of cover pictures, and of videos where there is no other."""
_MAX_PIXELS = 2**26
_MAX_SECONDS = 7 * 24 * 3600


class FrameIndex(NamedTuple):
    """What the packets of a file's video stream say.

    Attributes:
        num_frames: Packets that show a frame; the number of frames where there are no doubts.
        width: Of the coded frames, in pixels.
        num_keys: Key frames, from which decoding can begin.
        doubts: Why a frame's number can't be told from the packets; empty for most files.
        damage: Why the file is not whole; empty for most files.
        lies: Why a decoder that believes the header would take all memory; empty for honest files.
    """

    num_frames: int
    width: int = 0
    num_keys: int = 1
    doubts: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()
    lies: tuple[str, ...] = ()

    @property
    def safe(self) -> bool:
        """Whether packets and shown frames are the same, one for one and in the same order."""
        return not (self.doubts or self.damage or self.lies)

    def decoded_by_seeking(self, num_wanted: int) -> float:
        """Return about how many frames are decoded to see some evenly spaced ones, from the key frames before them."""
        group = self.num_frames / max(1, self.num_keys)
        return min(self.num_frames, num_wanted * (group + 1) / 2)


def read_frame_index(path: Path) -> FrameIndex:
    """Return the frame index of a file; repeated calls for an unchanged file read it once.

    Raises:
        VideoError: It is no video, or has no frame that can be decoded first.
    """
    status = os.stat(path)
    state = (str(path), status.st_size, status.st_mtime_ns)
    if state not in _known:
        index = _read(path)
        if len(_known) >= _MAX_KNOWN:
            del _known[next(iter(_known))]
        _known[state] = index
    return _known[state]


def num_known() -> int:
    """Return how many files this process knows the index of."""
    return len(_known)


def known_since(count: int) -> dict[FileState, FrameIndex]:
    """Return what was read after there were ``count``, to be given to another process's ``remember``."""
    return dict(itertools.islice(reversed(_known.items()), max(0, len(_known) - count)))


def remember(found: Mapping[FileState, FrameIndex]) -> None:
    """Take over what another process has read, so that this one and the workers it starts need not."""
    _known.update(itertools.islice(found.items(), max(0, _MAX_KNOWN - len(_known))))


@contextlib.contextmanager
def opened(
    source: Any,
    *,
    where: str = "",
    hint: str = REPLACE,
    options: Mapping[str, str] = OPEN_OPTIONS,
    **more: Any,
) -> Iterator[tuple[Any, Any]]:
    """Yield PyAV's container and the stream that is the video, and close them.

    ``where`` is what messages call it (its path if empty), ``hint`` what they advise. ``options`` are FFmpeg's.

    Raises:
        VideoError: The header can't be read, or there is no video stream; a cover picture is none.
    """
    import av

    where = where or str(source)
    source = str(source) if isinstance(source, os.PathLike) else source
    try:
        # Tags are in whatever coding their writer used, and nobody here reads them.
        file = av.open(source, "r", options=dict(options), metadata_errors="replace", **more)
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(f"its header can't be read: {error.strerror}", where=where, hint=hint) from error
    with file as container:
        streams = _videos(container)
        if not streams:
            cover = " but a cover picture" if any(map(_is_cover, container.streams.video)) else ""
            raise VideoError(f"has no readable video stream{cover}", where=where, hint=hint)
        best = container.streams.best("video")
        stream = best if best in streams else streams[0]
        stream.codec_context.thread_count = 1
        yield container, stream


def _videos(container: Any) -> list[Any]:
    """Return the streams that are videos; a cover is none, even where its file does not say that it is one."""
    # A stream whose header did not say what it holds has no decoder.
    readable = [each for each in container.streams.video if each.codec_context and not _is_cover(each)]
    return [each for each in readable if each.codec_context.name not in _PICTURES] or readable


def _is_cover(stream: Any) -> bool:
    import av

    kinds = av.stream.Disposition
    return bool(stream.disposition & (kinds.attached_pic | kinds.timed_thumbnails))


def _read(path: Path) -> FrameIndex:
    with _demuxer_errors() as errors, opened(path) as (container, stream):
        packets = [
            _Packet(packet.pts, packet.is_keyframe, packet.is_discard, packet.is_corrupt, not packet.size)
            for packet in container.demux(stream)
            if packet.size or packet.pts
        ]
        promised = int(stream.frames)
        seconds = _promised_seconds(container)
        name = str(container.format.name)
        context = stream.codec_context
        width, num_pixels = int(context.width), context.width * context.height
        has_b_frames = bool(context.has_b_frames)
        unit = float(stream.time_base or 0)
        num_videos = len(_videos(container))
    if not packets:
        raise VideoError("holds no frames", where=str(path), hint=REPLACE)
    if not packets[0].is_key:
        raise VideoError("does not begin with a key frame", where=str(path), hint=REPLACE)
    lies = []
    if promised > 10 * len(packets) + 1000 or num_pixels > _MAX_PIXELS:
        lies.append(f"its header promises {promised} frames and {num_pixels} pixels a frame")
    times = [packet.time for packet in packets if packet.time is not None]
    if times and (max(times) - min(times)) * unit > _MAX_SECONDS:
        lies.append("its frames lie more than a week apart")
    damage = [f"{line.strip()}" for source, line in errors if source == name][:1]
    damage += _missing(packets, promised, seconds, unit, name)
    doubts = _doubts(packets, name, has_b_frames)
    if num_videos > 1:
        doubts.append(f"it holds {num_videos} videos, and decord may take another")
    if promised and promised != len(packets):
        doubts.append(f"its header says {promised} frames")
    shown = sum(not packet.is_hidden for packet in packets)
    return FrameIndex(
        num_frames=shown,
        width=width,
        num_keys=sum(packet.is_key for packet in packets),
        doubts=tuple(doubts),
        damage=tuple(damage),
        lies=tuple(lies),
    )


class _Packet(NamedTuple):
    time: int | None
    is_key: bool
    is_hidden: bool
    is_cut: bool
    is_empty: bool


def _doubts(packets: list[_Packet], container: str, has_b_frames: bool) -> list[str]:
    """Return why frame numbers can't be told from the packets."""
    doubts = []
    if container.startswith("mpeg"):
        doubts.append("it is an MPEG stream, which has no index")
    if container == "avi" and has_b_frames:
        doubts.append("it is an AVI with B-frames, which has no times for them")
    if any(packet.is_hidden for packet in packets):
        doubts.append("some frames are not shown")
    if any(packet.is_empty for packet in packets):
        doubts.append("some frames are empty")
    times = [packet.time for packet in packets]
    if None in times or len(set(times)) < len(times):
        return [*doubts, "some frames have no time of their own"]
    order = sorted(range(len(times)), key=lambda position: times[position] or 0)
    rank = {position: shown for shown, position in enumerate(order)}
    if any(packet.is_key and rank[position] != position for position, packet in enumerate(packets)):
        doubts.append("frames before a key frame are shown after it")
    return doubts


def _missing(
    packets: list[_Packet], promised: int, seconds: float | None, unit: float, container: str
) -> list[str]:
    """Return what the header promises and the file does not hold."""
    missing = []
    if any(packet.is_cut for packet in packets):
        missing.append("a frame is cut off or damaged")
    # Old AVI writers count frames they have dropped, so a few are no sign of damage there.
    tolerance = max(1, promised // 50) if container == "avi" else 0
    if promised - len(packets) > tolerance:
        missing.append(f"its header promises {promised} frames and {len(packets)} are there")
    times = [packet.time for packet in packets if packet.time is not None]
    if seconds and len(times) > 1:
        spacing = (max(times) - min(times)) * unit / (len(times) - 1)
        end = max(times) * unit + spacing
        if seconds - end > max(0.1 * seconds, 2 * spacing):
            missing.append(f"its header promises {seconds:.2f} seconds and {end:.2f} are there")
    return missing


def _promised_seconds(container: Any) -> float | None:
    """Return a Matroska file's duration, where no other stream may have set it."""
    if container.format.name.startswith("matroska") and len(container.streams) == 1 and container.duration:
        return float(container.duration) / 1e6
    return None


@contextlib.contextmanager
def _demuxer_errors() -> Iterator[list[tuple[str, str]]]:
    """Collect (source, message) of what FFmpeg reports in the block; some damage it only reports."""
    import av

    level, skips = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    found: list[tuple[str, str]] = []
    try:
        with av.logging.Capture(local=True) as lines:
            try:
                yield found
            finally:
                found += [(source, line) for _, source, line in lines]
    finally:
        av.logging.set_skip_repeated(skips)
        av.logging.set_level(level)
