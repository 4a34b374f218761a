"""What a study shows while it runs: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dynsearch.plan import Plan
    from dynsearch.search.engines import Job
    from dynsearch.thresholds import OperatingPoint
    from dynsearch.training.loop import EpochReport


class StudyProgress:
    """Prints what the driver does, one line a step.

    Args:
        quiet: Print nothing but failures.
        write: Prints one line.
    """

    def __init__(self, *, quiet: bool = False, write: Callable[[str], None] = click.echo) -> None:
        self.quiet = quiet
        self.write = write
        self._refused = 0
        self._started = time.monotonic()

    def refused(self, number: int, plan: Plan, reason: str) -> None:
        """Count a proposal that was not trained."""
        self._refused += 1

    def started(self, number: int, plan: Plan) -> None:
        """Say what is trained now."""
        if self._refused and not self.quiet:
            self.write(f"({self._refused} proposals refused without training: over budget, or known already)")
        self._refused = 0
        if not self.quiet:
            self.write(f"trial {number}: {plan}")

    def retried(self, number: int, reason: str) -> None:
        """Say why a trial goes on once more."""
        self.write(f"trial {number} was cut off and goes on once more: {reason}")

    def stopping(self) -> None:
        """Say what happens after Ctrl-C."""
        self.write("Stopping once the epoch under way is saved. Ctrl-C again stops at once.")

    def ended(self, number: int, point: OperatingPoint | None, error: str | None) -> None:
        """Say how a trial ended."""
        if point is None:
            self.write(f"trial {number} failed: {error}")
        elif not self.quiet:
            minutes = (time.monotonic() - self._started) / 60
            self.write(
                f"trial {number}: top-1 {100 * point.top1:.1f}% at {point.gflops:.4g} GFLOPs per video on "
                f"calibration ({minutes:.1f} min)"
            )

    def exhausted(self) -> None:
        """Say that the study ends early."""
        self.write("The search space seems to hold no further plan under the budget; the study ends here.")

    def noted(self, line: str) -> None:
        """Say it."""
        if not self.quiet:
            self.write(line)

    def advanced(self, name: str, done: int, total: int) -> None:
        """Nothing: the line that says what is trained is enough where there is no bar."""

    def epoch(self, job: Job, report: EpochReport) -> None:
        """Nothing: a trial's lines are enough where there is no bar; epochs are in metrics.jsonl."""


class BarProgress(StudyProgress):
    """The same with a bar for the epochs of the trial under way, for a terminal."""

    def __init__(self, bars: Any, num_epochs: int) -> None:
        super().__init__(write=bars.console.print)
        self.bars = bars
        self.num_epochs = num_epochs
        self._tasks: dict[int, Any] = {}
        self._others: dict[str, Any] = {}

    def epoch(self, job: Job, report: EpochReport) -> None:
        """Move the trial's bar."""
        if job.number not in self._tasks:
            self._tasks[job.number] = self.bars.add_task(f"trial {job.number}", total=self.num_epochs)
        shown = f"trial {job.number}  loss {report.loss:.3f}  train top-1 {100 * report.top1:.1f}%"
        self.bars.update(self._tasks[job.number], completed=report.epoch, description=shown)

    def advanced(self, name: str, done: int, total: int) -> None:
        """Move the bar of a training that is no trial, and take it away at its end."""
        if name not in self._others:
            self._others[name] = self.bars.add_task(name, total=total)
        self.bars.update(self._others[name], completed=done)
        if done == total:
            self.bars.remove_task(self._others.pop(name))

    def ended(self, number: int, point: OperatingPoint | None, error: str | None) -> None:
        """Take the trial's bar away and say how it ended."""
        if number in self._tasks:
            self.bars.remove_task(self._tasks.pop(number))
        super().ended(number, point, error)


@contextmanager
def study_progress(*, quiet: bool, num_epochs: int) -> Iterator[StudyProgress]:
    """Yield what shows a study's progress: bars on a terminal, lines elsewhere, nothing when ``quiet``."""
    import sys

    if quiet or not sys.stdout.isatty():
        yield StudyProgress(quiet=quiet)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as bars:
        yield BarProgress(bars, num_epochs)
