"""What a training leaves about its epochs: ``metrics.jsonl`` and TensorBoard's event files."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dynsearch.files import write_text

if TYPE_CHECKING:
    from dynsearch.training.loop import EpochReport

EVENTS = "tensorboard"
"""Folder of the event files."""


class MetricsLog:
    """One JSON line and one step of TensorBoard's curves per epoch; epochs trained again replace their old ones.

    ``on_epoch`` is told after every epoch. ``writes`` is whether this process writes the files; of several the first
    does.
    """

    def __init__(
        self, folder: Path, on_epoch: Callable[[EpochReport], None] | None, *, writes: bool = True
    ) -> None:
        self.path = folder / "metrics.jsonl"
        self.on_epoch = on_epoch
        self.writes = writes
        self._events = folder / EVENTS
        self._writer: Any = None

    def add(self, report: EpochReport) -> None:
        """Write ``report`` as the last line, and pass it on."""
        if self.writes:
            self._write(report)
            self._draw(report)
        if self.on_epoch:
            self.on_epoch(report)

    def _write(self, report: EpochReport) -> None:
        lines = self.path.read_text(errors="replace").splitlines() if self.path.is_file() else []
        lines = [line for line in lines if _epoch(line) < report.epoch]
        lines.append(json.dumps(report.to_dict()))
        write_text(self.path, "\n".join(lines) + "\n")

    def _draw(self, report: EpochReport) -> None:
        from torch.utils.tensorboard import SummaryWriter

        if self._writer is None:
            self._writer = SummaryWriter(str(self._events), purge_step=report.epoch)
        for name in ("loss", "top1", "learning_rate", "seconds"):
            self._writer.add_scalar(f"training/{name}", getattr(report, name), report.epoch)
        self._writer.flush()

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()


def _epoch(line: str) -> float:
    """Return the epoch a line is about; one that says none, in a damaged file, comes after all and is dropped."""
    with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
        epoch = json.loads(line)["epoch"]
        if type(epoch) is int:
            return epoch
    return math.inf
