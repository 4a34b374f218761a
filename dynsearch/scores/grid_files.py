"""A score grid on disk: written in chunks of videos, whole or not at all, continued where it was interrupted.

A grid is a folder: ``grid.json`` (shapes, costs, order), ``logits.npy``, ``labels.npy``, ``video_ids.npy``, and
``steps.npy`` where the costs of steps are no rectangles.
While it is being written it is called ``<name>.part``, and ``done.json`` says how many videos it holds.

Shapes: S frame sets, M depth stages, N videos, K classes.
"""

import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import DynsearchError, ScoresError, named, shown
from dynsearch.files import read_json, write_text, written_whole
from dynsearch.scores.grid_validation import HEAD, TRUNK, check_finite

DEFAULT_MAX_BYTES = 16 * 2**30
_VERSION = 1
_KEYS = {
    "version": int, "first_depth": int, "split": str, "order": str, "source": str, "dtype": str, "shape": list,
}  # fmt: skip
"""Fields of ``grid.json`` and what they hold."""
_RECTANGLE_KEYS = {TRUNK: list, HEAD: list}
_TABLE_KEYS = {"steps": list}
_OPTIONAL = ("video_ids", "steps")
"""Arrays that not every grid has."""


def grid_bytes(
    num_sets: int, num_depths: int, num_videos: int, num_classes: int, dtype: str = "float16"
) -> int:
    """Return how many bytes the logits of a grid take on disk."""
    return math.prod((num_sets, num_depths, num_videos, num_classes)) * np.dtype(dtype).itemsize


class GridWriter:
    """Takes the logits of a grid in chunks of videos, from the first to the last.

    Attributes:
        folder: Where the finished grid will be.
        num_bytes: What the logits take on disk.
        num_done: How many of the N videos are written; the next chunk starts with video ``num_done``.
    """

    def __init__(self, folder: Path, header: dict[str, Any], num_done: int) -> None:
        self.folder = folder
        self.num_videos: int = header["shape"][2]
        self.num_bytes = _size(header)
        self.num_done = num_done
        self._shape: tuple[int, int, int, int] = tuple(header["shape"])
        self._dtype = np.dtype(header["dtype"])
        self._part = _part(folder)
        self._logits_SMNK: Any = None
        if self._part.exists():
            self._logits_SMNK = np.load(self._part / "logits.npy", mmap_mode="r+", allow_pickle=False)

    def write(self, logits_SMBK: NDArray[Any]) -> None:
        """Add the logits of the next B videos; they are on disk when this returns.

        Raises:
            ScoresError: The shape does not fit, there are more videos than announced, or a value is not finite
                (or too large for the grid's float16).
        """
        logits = np.asarray(logits_SMBK)
        num_sets, num_depths, _, num_classes = self._shape
        left = self.num_videos - self.num_done
        if logits.ndim != 4 or logits.shape != (num_sets, num_depths, logits.shape[2], num_classes):
            raise ScoresError(
                f"a chunk must have the shape ({num_sets}, {num_depths}, videos, {num_classes}),"
                f" got {logits.shape}",
                where=str(self.folder),
            )
        if logits.shape[2] > left:
            raise ScoresError(
                f"a chunk of {logits.shape[2]} videos, but {left} of {self.num_videos} are left to write",
                where=str(self.folder),
            )
        with np.errstate(over="ignore"):
            logits = logits.astype(self._dtype, copy=False)
        check_finite(logits, self.num_done)
        end = self.num_done + logits.shape[2]
        self._logits_SMNK[:, :, self.num_done : end] = logits
        self._logits_SMNK.flush()
        self.num_done = end
        write_text(self._part / "done.json", json.dumps(end))

    def finish(self) -> None:
        """Give the complete grid its name, in place of an older one; ScoresError where videos are missing."""
        if self.num_done < self.num_videos:
            raise ScoresError(
                f"{self.num_done} of {self.num_videos} videos are written", where=str(self.folder)
            )
        if not self._part.exists():
            return
        self._logits_SMNK = None
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self._part.rename(self.folder)
        (self.folder / "done.json").unlink()


def create_grid(
    folder: Path,
    header: dict[str, Any],
    arrays: dict[str, NDArray[Any]],
    max_bytes: int,
) -> GridWriter:
    """Return a writer that starts the grid, or goes on with it; see ``ScoreGrid.create``."""
    header = {"version": _VERSION} | json.loads(json.dumps(header))
    if _same(folder, header, arrays):
        return GridWriter(folder, header, header["shape"][2])
    part = _part(folder)
    if _same(part, header, arrays) and (part / "done.json").exists():
        return GridWriter(folder, header, int(read_json(part / "done.json", ScoresError)))
    size = _size(header)
    if part.exists():
        shutil.rmtree(part)
    _check_size(size, max_bytes, header, folder)
    try:
        part.mkdir(parents=True)
        logits = part / "logits.npy"
        np.lib.format.open_memmap(
            logits, mode="w+", dtype=header["dtype"], shape=tuple(header["shape"])
        ).flush()
        if hasattr(os, "posix_fallocate"):  # a disk that fills up under a memory map kills the process
            with logits.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, logits.stat().st_size)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise DynsearchError(
            f"can't write: {error.strerror or error}",
            where=str(part),
            hint="Check free space and permissions",
        ) from error
    for name, array in arrays.items():
        with written_whole(part / f"{name}.npy") as temporary:
            np.save(temporary, array, allow_pickle=False)
    write_text(part / "grid.json", json.dumps(header))
    write_text(part / "done.json", "0")
    return GridWriter(folder, header, 0)


def read_grid(folder: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the header and the arrays of a finished grid, the logits memory-mapped.

    Raises:
        ScoresError: The folder holds no finished grid, or its files contradict each other.
    """
    if not (folder / "grid.json").exists():
        part = _part(folder)
        if (part / "done.json").exists():
            done = read_json(part / "done.json", ScoresError)
            raise ScoresError(
                f"is not finished: {done} videos are written", where=str(folder), hint="Score the rest first"
            )
        raise ScoresError("there is no score grid", where=str(folder))
    header = read_json(folder / "grid.json", ScoresError)
    of_steps = _TABLE_KEYS if isinstance(header, dict) and "steps" in header else _RECTANGLE_KEYS
    missing = [key for key in _KEYS | of_steps if not isinstance(header, dict) or key not in header]
    if missing or header["version"] != _VERSION:
        raise ScoresError(
            f"lacks {missing[0]}" if missing else f"is of version {shown(header['version'])}, not {_VERSION}",
            where=str(folder / "grid.json"),
        )
    for key, kind in (_KEYS | of_steps).items():
        if not isinstance(header[key], kind):
            raise ScoresError(
                f"{key} should be a {kind.__name__}, is {shown(header[key])}", where=str(folder / "grid.json")
            )
    arrays: dict[str, NDArray[Any]] = {
        "logits": _read_array(folder / "logits.npy", mmap_mode="r"),
        "labels": _read_array(folder / "labels.npy"),
    }
    if "steps" in header:
        arrays["steps"] = _read_array(folder / "steps.npy")
    if (folder / "video_ids.npy").exists():
        arrays["video_ids"] = _read_array(folder / "video_ids.npy")
    logits = arrays["logits"]
    if list(logits.shape) != header["shape"] or logits.dtype.name != header["dtype"]:
        raise ScoresError(
            f"is {logits.dtype.name} of shape {logits.shape}, but grid.json says {named(header['dtype'])} of"
            f" {shown(tuple(header['shape']))}",
            where=str(folder / "logits.npy"),
        )
    return header, arrays


def _size(header: dict[str, Any]) -> int:
    num_sets, num_depths, num_videos, num_classes = header["shape"]
    return grid_bytes(num_sets, num_depths, num_videos, num_classes, header["dtype"])


def _part(folder: Path) -> Path:
    return folder.with_name(folder.name + ".part")


def _same(folder: Path, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> bool:
    """Return whether a folder holds (a part of) this very grid."""
    try:
        there = read_json(folder / "grid.json", ScoresError)
        return (
            there == header
            and all(np.array_equal(_read_array(folder / f"{name}.npy"), a) for name, a in arrays.items())
            and all((name in arrays) == (folder / f"{name}.npy").exists() for name in _OPTIONAL)
        )
    except ScoresError:
        return False


def _check_size(size: int, max_bytes: int, header: dict[str, Any], folder: Path) -> None:
    num_sets, num_depths, num_videos, num_classes = header["shape"]
    text = (
        f"{num_sets} x {num_depths} cells, {num_videos} videos and {num_classes} classes as"
        f" {header['dtype']} take {size:,} bytes"
    )
    hint = "Use fewer calibration videos, a larger first_depth, or float16"
    if size > max_bytes:
        raise ScoresError(
            f"{text}; the limit is {max_bytes:,}", where=str(folder), hint=f"{hint}, or raise the limit"
        )
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if size > free:
        raise ScoresError(f"{text}; the disk has {free:,} left", where=str(folder), hint=hint)


def _read_array(path: Path, **options: Any) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False, **options)
        return array
    except FileNotFoundError as error:
        raise ScoresError("there is no such file", where=str(path)) from error
    except Exception as error:  # numpy lets value, EOF and OS errors through
        raise ScoresError(f"can't be read as an array: {error}", where=str(path)) from error
