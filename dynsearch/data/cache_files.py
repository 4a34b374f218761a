"""The frame caches on this machine: listed, and removed unless a process uses them."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from dynsearch.data.frame_cache import cache_folder, facts_path
from dynsearch.errors import DynsearchError, InputError
from dynsearch.files import is_torn, read_json
from dynsearch.locks import is_in_use


@dataclasses.dataclass(frozen=True, kw_only=True)
class CacheFile:
    """One frame cache.

    Attributes:
        name: What it is removed by; data set, split, frames and size, and fingerprints of the videos.
        path: Its file.
        videos: The folder of its videos; empty where an earlier version made it.
        bytes: What it takes on disk.
        used: When it was last opened, in seconds since 1970.
        finished: Whether it can be read; others were left by a process that was killed.
        in_use: Whether a process reads or makes it.
    """

    name: str
    path: Path
    videos: str
    bytes: int
    used: float
    finished: bool
    in_use: bool

    @classmethod
    def of(cls, path: Path) -> CacheFile:
        """Return what there is to say of a file in the folder of caches."""
        torn, facts = is_torn(path), facts_path(path)
        name = path.name[1:].rpartition(".")[0].rpartition(".")[0] if torn else path.stem
        try:
            said = {} if torn else read_json(facts)
            finished = not torn and isinstance(said, dict)
        except InputError:
            said, finished = {}, False
        status = path.stat()
        making = is_in_use(path.parent / f".{name.rpartition('-')[0]}.lock")
        return cls(
            name=name + " (unfinished)" * (not finished),
            path=path,
            videos=str(said.get("videos", "")) if finished else "",
            bytes=status.st_blocks * 512,
            used=facts.stat().st_mtime if finished else status.st_mtime,
            finished=finished,
            in_use=making if torn else making or is_in_use(facts),
        )


def list_caches(folder: Path | None = None) -> list[CacheFile]:
    """Return the caches in ``folder``, by default that of the data home, those used last first."""
    found = []
    for path in (folder or cache_folder()).glob("*.npy"):
        with contextlib.suppress(OSError):  # Another process may just have removed it.
            found.append(CacheFile.of(path))
    return sorted(found, key=lambda cache: (-cache.used, cache.name))


def choose_caches(
    caches: Sequence[CacheFile], names: Collection[str] = (), *, older_than: float | None = None
) -> list[CacheFile]:
    """Return the caches of some names that have not been used for ``older_than`` days.

    Names are whole, or how they begin up to a dash: ``motions``, ``motions-train``. None given: all.

    Raises:
        InputError: No cache has one of the names.
    """
    chosen = {cache.path: cache for cache in caches} if not names else {}
    for name in names:
        fitting = {
            cache.path: cache for cache in caches if cache.name == name or cache.name.startswith(f"{name}-")
        }
        if not fitting:
            there = ", ".join(cache.name for cache in caches) or "none"
            raise InputError(f"there is no frame cache {name!r}", hint=f"There are: {there}")
        chosen |= fitting
    latest = time.time() - (older_than or 0) * 86_400
    return [cache for cache in chosen.values() if older_than is None or cache.used < latest]


def remove_cache(cache: CacheFile) -> None:
    """Remove a cache from the disk; DynsearchError where that can't be."""
    try:
        # The facts first: without them nobody takes the frames for whole.
        if not is_torn(cache.path):
            facts_path(cache.path).unlink(missing_ok=True)
        cache.path.unlink(missing_ok=True)
    except OSError as error:
        raise DynsearchError(f"can't be removed: {error.strerror}", where=str(cache.path)) from error
