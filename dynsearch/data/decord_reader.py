"""The video reader on decord 0.6."""

from pathlib import Path
from typing import Any

import numpy as np

from dynsearch.data.frame_index import REPLACE, Choose, Frames, read_frame_index
from dynsearch.errors import VideoError

_OTHER = "Read it with the reader auto or pyav"
_WIDE_ENOUGH = 64
"""Pixels from which decord's batches, which save a copy, are right: see ``_without_padding``."""


class DecordReader:
    """Reads with decord, one decoding thread, one opening per call.

    A decord reader inherited by a fork hangs, and one that is left open goes on decoding into memory, so
    none is ever kept. With several worker processes one thread costs the least CPU time.
    """

    def num_frames(self, path: Path) -> int:
        """Return how many frames the file has."""
        return len(_open(path, strict=False))

    def read(self, path: Path, choose: Choose, *, strict: bool) -> Frames:
        """Return the frames ``choose(num_frames)``, uint8 (T, H, W, 3), RGB."""
        video = _open(path, strict=strict)
        wanted = list(choose(len(video)))
        if read_frame_index(path).width >= _WIDE_ENOUGH:
            frames: Frames = video.get_batch(wanted).asnumpy()
            return frames
        return np.stack([_without_padding(video[index].asnumpy()) for index in wanted])


def _open(path: Path, *, strict: bool) -> Any:
    index = read_frame_index(path)
    if index.lies:
        # decord believes the header, and the process ends for lack of memory.
        raise VideoError(f"can't be given to decord: {index.lies[0]}", where=str(path), hint=REPLACE)
    doubts = [*index.doubts, *(index.damage if strict else ())]
    if doubts:
        raise VideoError(f"decord may show other frames: {doubts[0]}", where=str(path), hint=_OTHER)
    # torch comes first: on machines with a GPU, decord before torch crashes or hangs.
    import torch  # noqa: F401
    from decord import VideoReader, cpu
    from decord import logging as decord_logging

    # Else a damaged file writes hundreds of lines straight to standard error.
    decord_logging.set_level(decord_logging.QUIET)

    # fault_tol is the number of damaged frames decord may silently replace; -1 means any number.
    video = VideoReader(str(path), ctx=cpu(0), num_threads=1, fault_tol=1 if strict else -1)
    if index.safe and len(video) != index.num_frames:
        raise VideoError(
            f"has {index.num_frames} frames, and decord counts {len(video)}", where=str(path), hint=_OTHER
        )
    return video


def _without_padding(frame: Frames) -> Frames:
    """Return a frame as (H, W, 3) where decord took the padding of its rows for channels.

    Its decoder pads each row to a multiple of 32 or 64 bytes, depending on the processor. When that is a
    multiple of the width, which happens below 64 pixels, decord shows (H, W, 4) or more.
    """
    height, width, channels = frame.shape
    if channels == 3:
        return frame
    return frame.reshape(height, -1)[:, : 3 * width].reshape(height, width, 3)
