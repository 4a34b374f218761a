"""The time that all runs of a study took together, ``hours.json`` in its folder."""

import contextlib
import json
import math
import time
from pathlib import Path

from dynsearch.errors import DynsearchError
from dynsearch.files import write_text
from dynsearch.study.folder import StudyFolder

_SECONDS_BETWEEN = 30.0  # between two times that it is written: what a killed run loses at most


class Hours:
    """Counts this run's time on from that of the runs before. Of several drivers at once each counts."""

    def __init__(self, folder: StudyFolder) -> None:
        self._folder, self._begun = folder, time.monotonic()
        self._before: float | None = None
        self._written = self._begun

    def seconds(self) -> float:
        """Return the seconds of all runs; written down now and then."""
        now = time.monotonic()
        if self._before is None:
            self._before = seconds_of(self._folder)
        total = self._before + now - self._begun
        if now - self._written >= _SECONDS_BETWEEN and self._folder.study_file.is_file():
            self._written = now
            with contextlib.suppress(
                DynsearchError, OSError
            ):  # A full disk is told of where results are lost.
                write_text(_path(self._folder), json.dumps({"seconds": round(total, 1)}))
        return total

    def close(self) -> None:
        """Write them down."""
        self._written = -math.inf
        self.seconds()


def seconds_of(folder: StudyFolder) -> float:
    """Return what is written down: 0 before the first run, and for a study that an earlier version ran."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        return max(0.0, float(json.loads(_path(folder).read_text())["seconds"]))
    return 0.0


def _path(folder: StudyFolder) -> Path:
    return folder.path / "hours.json"
