"""The video reader on PyAV: it decodes from the first frame on and counts, so frame i is always frame i."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dynsearch.data.frame_index import REPLACE, Choose, FrameIndex, Frames, opened, read_frame_index
from dynsearch.errors import VideoError

_KEPT_BYTES = 256 * 2**20


class PyAVReader:
    """Reads with PyAV, one decoding thread, one opening per call.

    Strict reading decodes the whole file, so that damage anywhere in it is met: files without checksums
    show a damaged frame often only by a later one that can't be decoded.
    """

    def num_frames(self, path: Path) -> int:
        """Return how many frames the file shows."""
        index = read_frame_index(path)
        return index.num_frames if index.safe else sum(1 for _ in _decoded(path, strict=False))

    def read(self, path: Path, choose: Choose, *, strict: bool) -> Frames:
        """Return the frames ``choose(num_frames)``, uint8 (T, H, W, 3), RGB."""
        index = read_frame_index(path)
        if strict:
            _check_whole(path, index)
        if index.safe:
            return _read_indexed(path, index.num_frames, choose, strict=strict)
        return _read_counted(path, choose, strict=strict)


def _check_whole(path: Path, index: FrameIndex) -> None:
    wrong = [*index.damage, *index.lies]
    if wrong:
        raise VideoError(f"is damaged: {wrong[0]}", where=str(path), hint=REPLACE)


def _read_indexed(path: Path, num_frames: int, choose: Choose, *, strict: bool) -> Frames:
    """Return chosen frames of a file whose number of frames is known before it is decoded."""
    wanted = list(choose(num_frames))
    chosen: dict[int, Frames] = {}
    count = 0
    for frame in _decoded(path, strict=strict):
        if count in wanted:
            chosen[count] = as_rgb(frame)
        count += 1
        if not strict and count > wanted[-1]:
            break
    if len(chosen) < len(wanted) or (strict and count != num_frames):
        raise VideoError(
            f"is damaged: {count} of its {num_frames} frames can be decoded", where=str(path), hint=REPLACE
        )
    return np.stack([chosen[index] for index in wanted])


def _read_counted(path: Path, choose: Choose, *, strict: bool) -> Frames:
    """Return chosen frames of a file that has to be decoded to be counted: once where it is short."""
    kept: list[Any] | None = []
    room = _KEPT_BYTES
    count = 0
    for frame in _decoded(path, strict=strict):
        count += 1
        room -= sum(plane.buffer_size for plane in frame.planes)
        if kept is not None:
            kept = [*kept, frame] if room >= 0 else None
    if count == 0:
        raise VideoError("has no frame that can be decoded", where=str(path), hint=REPLACE)
    if kept is None:
        return _read_indexed(path, count, choose, strict=strict)
    return np.stack([as_rgb(kept[index]) for index in choose(count)])


def _decoded(path: Path, *, strict: bool) -> Iterator[Any]:
    """Yield PyAV's frames in the order they are shown, all of the first one's size and pixel format."""
    import av

    count, first = 0, None
    with opened(path) as (container, stream):
        if strict:
            stream.codec_context.options = {"err_detect": "explode"}
        try:
            for frame in container.decode(stream):
                layout = (frame.width, frame.height, frame.format.name)
                first = first or layout
                if layout != first or (strict and frame.is_corrupt):
                    reason = "is damaged" if layout == first else f"is {_shown(layout)}, not {_shown(first)}"
                    raise VideoError(f"frame {count} {reason}", where=str(path), hint=REPLACE)
                yield frame
                count += 1
        except av.error.FFmpegError as error:
            raise VideoError(
                f"can't be decoded after frame {count - 1}: {error.strerror}"
                if count
                else f"its first frame can't be decoded: {error.strerror}",
                where=str(path),
                hint=REPLACE,
            ) from error


def _shown(layout: tuple[int, int, str]) -> str:
    return f"{layout[0]} x {layout[1]} {layout[2]}"


def as_rgb(frame: Any) -> Frames:
    """Return one of PyAV's frames as uint8 (H, W, 3), turned as its display matrix says."""
    pixels: Frames = frame.to_ndarray(format="rgb24")
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels
