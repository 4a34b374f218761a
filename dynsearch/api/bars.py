"""Progress of long work: Rich bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Hashable, Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, Task

    from dynsearch.training.loop import EpochReport
    from dynsearch.training.progress import StepReport


class TrainingBars:
    """A bar for each training under way: epochs, videos a second, time left, loss and top-1.

    Args:
        bars: A ``rich.progress.Progress`` with the columns of :func:`training_bars`.
    """

    def __init__(self, bars: Any) -> None:
        self.bars = bars
        self._tasks: dict[Hashable, tuple[str, Any]] = {}

    def step(self, key: Hashable, label: str, report: StepReport, exits: float) -> None:
        """Move the bar of the training ``key``; scoring gets a bar of its own in the same place.

        ``exits`` is by how many exits the loss is divided.
        """
        phase, task = self._tasks.get(key, ("", None))
        length = report.total * max(report.num_epochs, 1)
        if phase != report.phase:
            self.remove(key)
            task = self.bars.add_task(f"{label} {report.phase}", total=length, about="", unit="videos/s")
            self._tasks[key] = (report.phase, task)
        done = report.total * max(report.epoch - 1, 0) + report.done
        self.bars.update(task, completed=done, about=_about(report, exits))

    def overall(self, about: str, done: int, total: int) -> None:
        """Show how far the whole is, above all bars under way."""
        if "overall" not in self._tasks:
            self._tasks["overall"] = ("", self.bars.add_task("", total=None, about="", unit=""))
        self.bars.update(self._tasks["overall"][1], total=total or None, completed=done, description=about)

    def remove(self, key: Hashable) -> None:
        """Take the bar of ``key`` away, if there is one."""
        if key in self._tasks:
            self.bars.remove_task(self._tasks.pop(key)[1])


@contextlib.contextmanager
def training_bars() -> Iterator[TrainingBars]:
    """Yield bars for trainings, drawn on standard output."""
    from rich.progress import TextColumn

    with _bars(TextColumn("{task.fields[about]}")) as bars:
        yield TrainingBars(bars)


@contextlib.contextmanager
def counting(label: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Yield a function of (done, total) videos that shows progress on standard error.

    On a terminal it is a bar with rate and time left, elsewhere a line per tenth.
    """
    if quiet:
        yield lambda done, total: None
    elif not sys.stderr.isatty():
        yield lambda done, total: _tenths(label, done, total)
    else:
        from rich.console import Console
        from rich.progress import MofNCompleteColumn

        with _bars(MofNCompleteColumn(), console=Console(stderr=True)) as bars:
            task = bars.add_task(label, total=None, unit="videos/s")
            yield lambda done, total: bars.update(task, completed=done, total=total)


def epoch_line(report: EpochReport, num_epochs: int, exits: float) -> str:
    """Return one epoch as a line; ``exits`` is by how many exits the loss is divided."""
    return (
        f"epoch {report.epoch}/{num_epochs}: loss per exit {report.loss / exits:.3f}, "
        f"train top-1 {100 * report.top1:.1f}%, {report.seconds:.1f} s"
    )


def _about(report: StepReport, exits: float) -> str:
    if report.loss is None or report.top1 is None:
        return f"{report.done}/{report.total}"
    return (
        f"epoch {report.epoch}/{report.num_epochs}  loss per exit {report.loss / exits:.3f}  "
        f"top-1 {100 * report.top1:4.1f}%"
    )


def _bars(middle: ProgressColumn, console: Console | None = None) -> Progress:
    """Return bars with a column of their own between the bar and the rate."""
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """So many a second."""

        def render(self, task: Task) -> Text:
            return Text(
                ""
                if task.speed is None or not task.fields["unit"]
                else f"{task.speed:.3g} {task.fields['unit']}"
            )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        middle,
        Rate(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True)


def _tenths(label: str, done: int, total: int) -> None:
    if done * 10 // total > (done - 1) * 10 // total:
        click.echo(f"{label}: {done} of {total}", err=True)
