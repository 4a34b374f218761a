"""Decoded, resized frames of a split in one memory-mapped file, made once and read by every process."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import multiprocessing
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dynsearch.data.home import home
from dynsearch.data.locks import held_lock
from dynsearch.data.record_frames import read_record
from dynsearch.data.records import VideoRecord
from dynsearch.data.sampling import segment_centres
from dynsearch.data.watched_workers import Lost, map_watched
from dynsearch.data.workers import Progress
from dynsearch.errors import InputError, VideoError
from dynsearch.files import written_whole

_VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameCache:
    """The cached frames of N videos.

    Attributes:
        path: The .npy file.
        num_frames: S, evenly spaced frames kept of each video (the middle of each of S segments).
        size: Side in pixels of the square in the middle of each frame.
    """

    path: Path
    num_frames: int
    size: int

    @functools.cached_property
    def frames_NSHWC(self) -> npt.NDArray[np.uint8]:
        """The frames, uint8 (N, S, size, size, 3), RGB, mapped from the file when first used."""
        frames: npt.NDArray[np.uint8] = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return frames

    def __getstate__(self) -> dict[str, object]:
        # Sent to another process, the cache is mapped there again instead of being copied.
        return {key: value for key, value in self.__dict__.items() if key != "frames_NSHWC"}


def make_frame_cache(
    records: Sequence[VideoRecord],
    *,
    name: str,
    num_frames: int,
    size: int,
    reader: str = "auto",
    folder: Path | None = None,
    num_workers: int | None = None,
    progress: Progress | None = None,
) -> FrameCache:
    """Return the frame cache of a split, decoding its videos where it does not exist yet.

    The file's name holds the settings and fingerprints of the videos' paths and of their sizes and times
    of change. So other videos or settings are another file, and one made from older files is removed.

    Args:
        records: N videos.
        name: What to call it, for instance ``motions-train``.
        num_frames: S, evenly spaced frames of each video.
        size: Short side in pixels to resize to; the square in the middle is kept.
        reader: The video reader's name.
        folder: Where to keep it; None means ``$DYNSEARCH_HOME/frames``.
        num_workers: Worker processes; None means one per core.
        progress: Told after every video.

    Raises:
        VideoError: A video can't be read; it is named.
        InputError: ``records`` is empty, or a setting is below 1.
        DynsearchError: The file can't be written.
    """
    if not records or num_frames < 1 or size < 1:
        raise InputError(
            f"a frame cache needs videos, frames and a size, got {len(records)}, {num_frames}, {size}"
        )
    folder = home() / "frames" if folder is None else folder
    stem = f"{re.sub(r'[^A-Za-z0-9._-]', '_', name)}-{num_frames}x{size}"
    stem += "-" + _digest("\n".join(map(_named, records)))
    path = folder / f"{stem}-{_fingerprint(records, reader)}.npy"
    shape = (len(records), num_frames, size, size, 3)
    cache = FrameCache(path=path, num_frames=num_frames, size=size)
    if _is_whole(path, shape):
        return cache
    with held_lock(folder / f".{stem}.lock"):
        if not _is_whole(path, shape):
            _fill(path, records, shape, reader, num_workers, progress)
            for old in folder.glob(f"{stem}-*.npy"):
                if old != path:
                    old.unlink(missing_ok=True)
    return cache


def cache_bytes(num_videos: int, num_frames: int, size: int) -> int:
    """Return how many bytes the frames of ``num_videos`` videos take."""
    return num_videos * num_frames * size * size * 3


def _fingerprint(records: Sequence[VideoRecord], reader: str) -> str:
    states = [f"{_VERSION} {reader}"]
    for record in records:
        try:
            status = os.stat(record.path)
        except OSError as error:
            raise VideoError(
                "does not exist", where=str(record.path), hint="Run `dynsearch data check`"
            ) from error
        states.append(f"{status.st_size} {status.st_mtime_ns}")
    return _digest("\n".join(states))


def _named(record: VideoRecord) -> str:
    return str(record.path) if record.seconds is None else f"{record.path} {record.seconds}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def _is_whole(path: Path, shape: tuple[int, ...]) -> bool:
    try:
        frames = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return False
    return frames.shape == shape and frames.dtype == np.uint8


def _fill(
    path: Path,
    records: Sequence[VideoRecord],
    shape: tuple[int, ...],
    reader: str,
    num_workers: int | None,
    progress: Progress | None,
) -> None:
    read_one = functools.partial(_read_one, num_frames=shape[1], size=shape[2], reader=reader)
    with written_whole(path) as temporary:
        frames = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        if hasattr(os, "posix_fallocate"):
            # Room for the whole file now: a disk that fills up later would kill the process.
            with temporary.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, temporary.stat().st_size)
        for index, video in map_watched(read_one, records, num_workers=num_workers, progress=progress):
            if isinstance(video, Lost):
                raise VideoError(
                    video.reason, where=str(records[index].path), hint="Run `dynsearch data check`"
                )
            frames[index] = video
        frames.flush()
        del frames


def _read_one(record: VideoRecord, *, num_frames: int, size: int, reader: str) -> npt.NDArray[np.uint8]:
    """Return uint8 (S, size, size, 3) of one video."""
    import torch

    from dynsearch.data.augmentation import centre_crop, resize_short_side

    if multiprocessing.parent_process() is not None:
        torch.set_num_threads(1)
    frames_SHWC = read_record(
        record, lambda count: segment_centres(count, num_frames).tolist(), strict=True, reader=reader
    )
    frames_SCHW = torch.from_numpy(frames_SHWC).permute(0, 3, 1, 2)
    square = centre_crop(resize_short_side(frames_SCHW, size), size)
    cached: npt.NDArray[np.uint8] = square.permute(0, 2, 3, 1).numpy()
    return cached
