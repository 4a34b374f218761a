"""What a check of a data set has found so far, one line a video, so that it can be interrupted."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Literal, NamedTuple

from dynsearch.data.home import home
from dynsearch.data.records import VideoRecord
from dynsearch.errors import DynsearchError

_VERSION = 1


class Finding(NamedTuple):
    """What reading one video showed.

    Attributes:
        kind: What is wrong with it; empty where nothing is.
        detail: The reason.
        num_frames: Its frames; 0 where it can't be read.
    """

    kind: Literal["", "missing", "unreadable"]
    detail: str
    num_frames: int = 0


_Known = dict[str, tuple[tuple[int, ...], Finding]]


class CheckJournal:
    """Findings in a file, each valid as long as its video's file has the same size and time of change.

    A line that a kill cut off is left out; its video is read again. DynsearchError where the file can't be written.
    """

    def __init__(self, path: Path, *, fresh: bool) -> None:
        self._path = path
        self._known: _Known = {} if fresh else _load(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # A line on its own ends one that was cut off.
            self._file = path.open("w" if fresh else "a", encoding="utf-8")
            self._file.write("\n")
        except OSError as error:
            raise self._not_written(error) from error

    @classmethod
    def of(cls, name: str, root: Path, reader: str, *, fresh: bool) -> CheckJournal:
        """Return the journal of one data set at one place, read with one reader."""
        key = hashlib.blake2b(f"{_VERSION} {root} {reader}".encode(), digest_size=6).hexdigest()
        return cls(home() / "checks" / f"{name.partition('@')[0]}-{key}.jsonl", fresh=fresh)

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):
            self._file.close()

    def known(self, record: VideoRecord) -> Finding | None:
        """Return what an earlier check found, unless the file has changed since."""
        state, finding = self._known.get(record.key, (None, None))
        return finding if state is not None and state == record.state() else None

    def add(self, record: VideoRecord, finding: Finding) -> None:
        """Write down what was found; DynsearchError where the file can't be written."""
        state = record.state()
        if state is None:
            return
        try:
            self._file.write(json.dumps([record.key, state, finding]) + "\n")
            self._file.flush()
        except OSError as error:
            raise self._not_written(error) from error

    def _not_written(self, error: OSError) -> DynsearchError:
        return DynsearchError(
            f"can't write: {error.strerror or error}",
            where=str(self._path),
            hint="Check free space and permissions, or set DYNSEARCH_HOME to another folder",
        )


def _load(path: Path) -> _Known:
    known: _Known = {}
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return known
    for line in lines:
        with contextlib.suppress(ValueError, TypeError):
            key, state, finding = json.loads(line)
            known[key] = (tuple(state), Finding(*finding[:3]))  # Earlier versions wrote more.
    return known
