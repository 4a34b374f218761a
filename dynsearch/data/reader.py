"""Frames of a video file, through a small Protocol so that decoders can be exchanged."""

from __future__ import annotations

import contextlib
import operator
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dynsearch.data.auto_reader import AutoReader
from dynsearch.data.decord_reader import DecordReader
from dynsearch.data.frame_folder import FrameFolderReader
from dynsearch.data.frame_index import REPLACE, Choose, Frames
from dynsearch.data.pyav_reader import PyAVReader
from dynsearch.data.video_files import checked_path
from dynsearch.errors import InputError, VideoError

FrameChoice = Sequence[int] | Choose
"""Frame indices, or a function that gives them from the number of frames in the file."""


class VideoReader(Protocol):
    """Reads one file from start to end of a call and keeps nothing open, so it may cross a fork.

    ``path`` is absolute and has passed ``checked_path``. Any exception means the file can't be read.
    """

    def num_frames(self, path: Path) -> int:
        """Return how many frames the file has."""
        ...

    def read(self, path: Path, choose: Choose, *, strict: bool) -> Frames:
        """Return the frames ``choose(num_frames)``, uint8 (T, H, W, 3), RGB, in that order.

        Args:
            path: The file.
            choose: Gives sorted, distinct, valid indices from the number of frames.
            strict: Fail on damaged frames where the decoder notices them, and never replace them.
        """
        ...


READERS: dict[str, Callable[[], VideoReader]] = {
    "auto": AutoReader,
    "decord": DecordReader,
    "pyav": PyAVReader,
}
"""The readers by name. A new one is a new file and one line here."""


def get_reader(name: str = "auto") -> VideoReader:
    """Return the reader called ``name``; InputError where there is no reader of that name."""
    if name not in READERS:
        raise InputError(f"there is no video reader {name!r}", hint=f"Readers: {', '.join(sorted(READERS))}")
    return READERS[name]()


def num_frames(path: str | os.PathLike[str], *, reader: str = "auto") -> int:
    """Return how many frames the video file at ``path`` has.

    Raises:
        VideoError: The file can't be read; it names the file, the reason and what to do.
    """
    chosen, checked = _reader_of(path, reader)
    with _named(checked):
        return chosen.num_frames(checked)


def read_frames(
    path: str | os.PathLike[str], indices: FrameChoice, strict: bool = True, *, reader: str = "auto"
) -> Frames:
    """Return chosen frames of a video file.

    Args:
        path: The file, or a folder of frames.
        indices: T frame indices from 0 in any order, repeats allowed, or a function that gives them from
            the number of frames, so that choosing costs no second opening.
        strict: Fail on any damage in the file that can be noticed. Otherwise decoders may conceal it.
        reader: A key of ``READERS``.

    Returns:
        uint8 (T, H, W, 3), RGB.

    Raises:
        VideoError: The file can't be read, or has no frame of an index asked for.
        InputError: An index is not a whole number, there is none, or the reader is unknown.
    """
    chosen, checked = _reader_of(path, reader)
    inverse: list[npt.NDArray[np.intp]] = []

    def distinct(count: int) -> Sequence[int]:
        asked = _checked_indices(indices(count) if callable(indices) else indices, count, checked)
        unique, positions = np.unique(asked, return_inverse=True)
        inverse[:] = [positions]
        return [int(index) for index in unique]

    with _named(checked):
        frames = chosen.read(checked, distinct, strict=strict)
    as_read = np.array_equal(inverse[0], np.arange(len(frames)))
    return frames if as_read else frames[inverse[0]]


def _reader_of(path: str | os.PathLike[str], name: str) -> tuple[VideoReader, Path]:
    """Return what reads ``path``, and its absolute path: a folder of frames needs no video reader."""
    chosen = get_reader(name)
    if os.path.isdir(path):
        return FrameFolderReader(), Path(path).absolute()
    return chosen, checked_path(path)


def _checked_indices(indices: Sequence[int], count: int, path: Path) -> list[int]:
    try:
        asked = [operator.index(index) for index in indices]
    except TypeError as error:
        raise InputError(f"frame indices must be whole numbers, got {list(indices)[:5]}") from error
    if not asked:
        raise InputError("no frame index was given", hint="Ask for at least one frame")
    if count < 1:
        raise VideoError("has no frames", where=str(path), hint="Replace the file")
    wrong = [index for index in asked if not 0 <= index < count]
    if wrong:
        raise VideoError(
            f"frame {wrong[0]} was asked for, but it has {count} frames",
            where=str(path),
            hint=f"Ask for frames 0 to {count - 1}",
        )
    return asked


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Raise whatever a decoder raises in the block as an error that names the file."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        # decord's texts begin with a time and a place in its own source.
        reason = re.sub(r"^\[[\d:]+\] \S+: ", "", " ".join(str(error).split()))
        raise VideoError(
            f"can't be decoded: {reason[:200] or type(error).__name__}", where=str(path), hint=REPLACE
        ) from error
