"""Decoded, resized frames of a split in one memory-mapped file, made once and read by every process."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import multiprocessing
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from dynsearch.data.content import content_digests
from dynsearch.data.home import home
from dynsearch.data.record_frames import read_record
from dynsearch.data.records import VideoRecord
from dynsearch.data.sampling import Resize, segment_centres
from dynsearch.data.watched_workers import Lost, Progress, map_watched
from dynsearch.errors import DynsearchError, InputError, VideoError
from dynsearch.files import read_json, write_text, written_whole
from dynsearch.locks import held_lock, mark_in_use

_VERSION = 2
"""Raised whenever the same videos and settings would give another file; older files are made again."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameCache:
    """The cached frames of N videos.

    Attributes:
        path: The .npy file.
        num_frames: S, evenly spaced frames kept of each video (the middle of each of S segments).
        size: Side in pixels of the square in the middle of each frame.
        places_N: Where the videos are in the file; None: all that it holds.

    A file beside it, with the ending .json, is written last and says that the frames are all there.
    """

    path: Path
    num_frames: int
    size: int
    places_N: npt.NDArray[np.intp] | None = dataclasses.field(default=None, compare=False)

    @property
    def num_videos(self) -> int:
        """N."""
        return len(self.frames_NSHWC if self.places_N is None else self.places_N)

    def frames(self, position: Any, chosen: Any) -> npt.NDArray[np.uint8]:
        """Return the ``chosen`` frames of the videos at some positions."""
        frames: npt.NDArray[np.uint8] = self.frames_NSHWC[
            position if self.places_N is None else self.places_N[position], chosen
        ]
        return frames

    @functools.cached_property
    def frames_NSHWC(self) -> npt.NDArray[np.uint8]:
        """All the file's frames, uint8 (N, S, size, size, 3), RGB, mapped from it when first used."""
        self.use()
        frames: npt.NDArray[np.uint8] = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return frames

    @functools.cached_property
    def bad(self) -> dict[int, str]:
        """By position, why videos could not be read; their frames are black."""
        found = {int(place): reason for place, reason in read_json(facts_path(self.path))["bad"].items()}
        if self.places_N is None or not found:
            return found
        return {index: found[place] for index, place in enumerate(self.places_N.tolist()) if place in found}

    @functools.cached_property
    def _mark(self) -> BinaryIO | None:
        facts = facts_path(self.path)
        with contextlib.suppress(OSError):
            os.utime(facts)  # When it was last used.
        return mark_in_use(facts)

    def use(self) -> FrameCache:
        """Return the cache; until it is let go, other processes see that it is in use."""
        _ = self._mark
        return self

    def __getstate__(self) -> dict[str, object]:
        # Sent to another process, the cache is mapped there again instead of being copied.
        return {key: value for key, value in self.__dict__.items() if key not in ("frames_NSHWC", "_mark")}


def make_frame_cache(
    records: Sequence[VideoRecord],
    *,
    name: str,
    num_frames: int,
    size: int,
    resize: Resize = "crop",
    reader: str = "auto",
    folder: Path | None = None,
    max_bad_videos: float = 0.0,
    write: Callable[[str], None] | None = None,
    num_workers: int | None = None,
    progress: Progress | None = None,
) -> FrameCache:
    """Return the frame cache of a split, decoding its videos where it does not exist yet.

    The file's name holds ``name`` (for instance ``motions-train``), the settings and fingerprints of the videos' paths
    and of their sizes and times of change. So other videos or settings are another file, and one made from older files
    of the same videos, or by a process that was killed, is removed. S = ``num_frames`` evenly spaced frames are kept of
    each video, as squares of ``size`` pixels, made as ``resize`` says.

    Args as of :func:`dynsearch.data.check.check_dataset`, and ``folder`` (None means ``$DYNSEARCH_HOME/frames``),
    ``max_bad_videos`` (share that may be unreadable; ``FrameCache.bad`` names them), ``write`` (told how large the file
    becomes, before it is made).

    Raises:
        VideoError: A video can't be read; it is named. With ``max_bad_videos``: the one too many.
        InputError: ``records`` is empty, or a setting is below 1.
        DynsearchError: The file can't be written, or there is no room for it.
    """
    if not records or num_frames < 1 or size < 1:
        raise InputError(
            f"a frame cache needs at least 1 video, 1 frame and 1 pixel, got {len(records)}, {num_frames}, {size}"
        )
    folder = cache_folder() if folder is None else folder
    stem = f"{re.sub(r'[^A-Za-z0-9._-]', '_', name)}-{num_frames}x{size}" + (
        "" if resize == "crop" else f"-{resize}"
    )
    stem += "-" + _digest("\n".join(record.key for record in records))
    path = folder / f"{stem}-{_fingerprint(records, reader)}.npy"
    shape = (len(records), num_frames, size, size, 3)
    cache = FrameCache(path=path, num_frames=num_frames, size=size)
    contents = _digest("\n".join(content_digests([record.path for record in records])))
    if _is_whole(path, shape, contents):
        return cache.use()
    with held_lock(folder / f".{stem}.lock"):
        if not _is_whole(path, shape, contents):
            for old in (*folder.glob(f"{stem}-*"), *folder.glob(f".{stem}-*")):
                old.unlink(missing_ok=True)
            needed = cache_bytes(*shape[:3])
            _check_room(folder, needed)
            if write is not None:
                write(f"{name}: making a frame cache of {needed / 1e9:.2f} GB in {folder}")
            bad = _fill(path, records, shape, resize, reader, max_bad_videos, num_workers, progress)
            videos = os.path.commonpath([record.path.absolute().parent for record in records])
            facts = {"shape": shape, "bad": bad, "videos": videos, "contents": contents}
            write_text(facts_path(path), json.dumps(facts))
        return cache.use()


def is_kept(records: Sequence[VideoRecord], name: str, num_frames: int, size: int) -> bool:
    """Return whether there is a cache of these videos, though perhaps of earlier versions of their files."""
    digest = _digest("\n".join(record.key for record in records))
    return any(cache_folder().glob(f"{name}-{num_frames}x{size}*-{digest}-*.npy"))


def cache_bytes(num_videos: int, num_frames: int, size: int) -> int:
    """Return how many bytes the frames of ``num_videos`` videos take."""
    return num_videos * num_frames * size * size * 3


def check_limit(sizes: Sequence[int], num_frames: int, size: int, max_gb: float) -> None:
    """Raise InputError if the frame caches of splits with ``sizes`` videos take more than ``max_gb``."""
    needed = cache_bytes(sum(sizes), num_frames, size) / 1e9
    if needed > max_gb:
        fitting = int(size * (max_gb / needed) ** 0.5)
        raise InputError(
            f"the frame cache of {sum(sizes)} videos with {num_frames} frames of {size} x {size} would take "
            f"{needed:.4g} GB, more than max_gb={max_gb:g}",
            where="frame_cache",
            hint=f"Frames of {fitting} x {fitting} would do; or keep fewer frames, raise max_gb, or use no cache",
        )


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DynsearchError(
            f"a frame cache needs {needed / 1e9:.4g} GB and {free / 1e9:.4g} GB are free",
            where=str(folder),
            hint="Free some space, keep fewer or smaller frames, or set DYNSEARCH_HOME to another disk",
        )


def cache_folder() -> Path:
    """Return where frame caches are kept."""
    return home() / "frames"


def facts_path(path: Path) -> Path:
    """Return the file beside a cache that is written last."""
    return path.with_suffix(".json")


def _fingerprint(records: Sequence[VideoRecord], reader: str) -> str:
    states = [f"{_VERSION} {reader}"]
    for record in records:
        state = record.state()
        states.append("missing" if state is None else f"{state[0]} {state[1]}")
    return _digest("\n".join(states))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def _is_whole(path: Path, shape: tuple[int, ...], contents: str) -> bool:
    """Tell whether a file was finished, and not cut short since, of videos with these contents if it says so."""
    try:
        facts = read_json(facts_path(path))
        frames = np.load(path, mmap_mode="r", allow_pickle=False)
    except (InputError, OSError, ValueError, EOFError):
        return False
    finished = (
        isinstance(facts, dict)
        and facts.get("shape") == list(shape)
        and isinstance(facts.get("bad"), dict)
        and facts.get("contents", contents) == contents
    )
    return finished and frames.shape == shape and frames.dtype == np.uint8


def _fill(
    path: Path,
    records: Sequence[VideoRecord],
    shape: tuple[int, ...],
    resize: Resize,
    reader: str,
    max_bad_videos: float,
    num_workers: int | None,
    progress: Progress | None,
) -> dict[int, str]:
    """Write the frames; return by position why videos could not be read."""
    bad: dict[int, str] = {}
    read_one = functools.partial(_read_one, num_frames=shape[1], size=shape[2], resize=resize, reader=reader)
    with written_whole(path) as temporary:
        frames = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        if hasattr(os, "posix_fallocate"):
            # Room for the whole file now: a disk that fills up later would kill the process.
            with temporary.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, temporary.stat().st_size)
        for index, video in map_watched(read_one, records, num_workers=num_workers, progress=progress):
            if isinstance(video, Lost):
                video = VideoError(
                    video.reason, where=str(records[index].path), hint="Run `dynsearch data check`"
                )
            if isinstance(video, VideoError):
                bad[index] = video.problem
                if len(bad) > max_bad_videos * len(records):
                    raise video
            else:
                frames[index] = video
        frames.flush()
        del frames
    return bad


def _read_one(
    record: VideoRecord, *, num_frames: int, size: int, resize: Resize, reader: str
) -> npt.NDArray[np.uint8] | VideoError:
    """Return uint8 (S, size, size, 3) of one video, or what is wrong with it."""
    import torch

    from dynsearch.data.augmentation import to_square

    if multiprocessing.parent_process() is not None:
        torch.set_num_threads(1)
    try:
        frames_SHWC = read_record(
            record, lambda count: segment_centres(count, num_frames).tolist(), strict=True, reader=reader
        )
    except VideoError as error:
        return error
    frames_SCHW = torch.from_numpy(frames_SHWC).permute(0, 3, 1, 2)
    square = to_square(frames_SCHW, size, resize)
    cached: npt.NDArray[np.uint8] = square.permute(0, 2, 3, 1).numpy()
    return cached
