"""What a study shows while it runs: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from dynsearch.api.bars import TrainingBars, epoch_line, training_bars
from dynsearch.display.words import spoken_time

if TYPE_CHECKING:
    from dynsearch.plan import Plan
    from dynsearch.search.engines import Job
    from dynsearch.search.loggers import TrialLogger
    from dynsearch.study.hours import Hours
    from dynsearch.thresholds import OperatingPoint
    from dynsearch.training.loop import EpochReport
    from dynsearch.training.progress import StepReport


@dataclass(eq=False, kw_only=True)
class StudyProgress:
    """Prints what the driver does, one line a step.

    Args:
        quiet: Print nothing but failures.
        write: Prints one line.
        epochs: Print a line for every epoch too; of so many.
        loggers: Experiment trackers that are told the same.
        hours: Of all runs of the study.
    """

    quiet: bool = False
    write: Callable[[str], None] = click.echo
    epochs: int | None = None
    loggers: Sequence[TrialLogger] = ()
    hours: Hours | None = None

    def __post_init__(self) -> None:
        self._refused = 0
        self._started = time.monotonic()
        self._stage, self._begun, self._first, self._ended = "", 0.0, 0, 0
        self._place, self._total = 0, 0

    def refused(self, number: int, plan: Plan, reason: str) -> None:
        """Count a proposal that was not trained."""
        self._refused += 1

    def started(self, number: int, plan: Plan) -> None:
        """Say what is trained now."""
        if self._refused and not self.quiet:
            noun = "proposal" if self._refused == 1 else "proposals"
            self.write(f"({self._refused} {noun} refused without training: over budget, or known already)")
        self._refused = 0
        if not self.quiet:
            self.write(f"trial {number}: {plan}")
        for logger in self.loggers:
            logger.started(number, plan)

    def retried(self, number: int, reason: str) -> None:
        """Say why a trial goes on once more."""
        self.write(f"trial {number} was cut off and goes on once more: {reason}")

    def stopping(self) -> None:
        """Say what happens after Ctrl-C, or a batch system's notice."""
        self.write("Stopping once the step under way is saved. Ctrl-C again stops at once.")

    def ended(self, number: int, point: OperatingPoint | None, error: str | None) -> None:
        """Say how a trial ended."""
        self._ended += 1
        for logger in self.loggers:
            logger.ended(number, point, error)
        if point is None:
            self.write(f"trial {number} failed: {error}")
        elif not self.quiet:
            minutes = (time.monotonic() - self._started) / 60
            self.write(
                f"trial {number}: top-1 {100 * point.top1:.1f}% at {point.cost:.4g} {point.measure.per_video} on "
                f"calibration ({minutes:.1f} min)"
            )

    def staged(self, stage: str, place: int, total: int) -> None:
        """Say where the study is as a whole: the ``place``-th of ``total`` begins in this stage; 0 of what is one."""
        if stage != self._stage:
            self._stage, self._begun, self._first, self._ended = stage, time.monotonic(), place, 0
        self._place, self._total = place, total
        self._show()

    def _show(self) -> None:
        self.noted(self._line())

    def _line(self) -> str:
        now, place, total = time.monotonic(), self._place, self._total
        ended = self._ended or (place - self._first if self._stage != "plan" else 0)
        parts = [f"{self._stage} {place} of {total}" if total else self._stage]
        run = now - self._started
        every = self.hours.seconds() if self.hours else run
        if every >= 1:
            parts.append(f"{spoken_time(every)} so far" + (", in all runs" if every - run >= 1 else ""))
        if ended:
            left = (total - self._first + 1 - ended) * (now - self._begun) / ended
            parts.append(f"about {spoken_time(left)} left in this stage")
        return ", ".join(parts)

    def exhausted(self) -> None:
        """Say that the study ends early."""
        self.write("The search space seems to hold no further plan under the budget; the study ends here.")

    def noted(self, line: str) -> None:
        """Say it."""
        if not self.quiet:
            self.write(line)

    def advanced(self, name: str, exits: float, epochs: int, report: EpochReport | StepReport) -> None:
        """Say where a training is that is no trial: ten lines at most."""
        from dynsearch.training.loop import EpochReport

        self._move()
        if isinstance(report, EpochReport) and report.epoch % max(1, epochs // 10) == 0:
            self.noted(f"{name}, {epoch_line(report, epochs, exits)}")

    def epoch(self, job: Job, report: EpochReport | StepReport) -> None:
        """Write down an epoch; where it is meanwhile is not worth a line."""
        from dynsearch.training.loop import EpochReport

        self._move()
        if not isinstance(report, EpochReport):
            return
        for logger in self.loggers:
            logger.epoch(job.number, report)
        if self.epochs is not None and not self.quiet:
            self.write(f"trial {job.number}, {epoch_line(report, self.epochs, len(job.plan.exits))}")

    def _move(self) -> None:
        """Let the hours be kept while a long training is under way."""
        if self.hours:
            self.hours.seconds()


class BarProgress(StudyProgress):
    """The same with a bar for every trial under way, for a terminal."""

    def __init__(self, bars: TrainingBars, **told: Any) -> None:
        super().__init__(write=bars.bars.console.print, **told)
        self.bars = bars

    def epoch(self, job: Job, report: EpochReport | StepReport) -> None:
        """Move the trial's bar."""
        from dynsearch.training.progress import StepReport

        if isinstance(report, StepReport):
            self.bars.step(job.number, f"trial {job.number}", report, len(job.plan.exits))
        super().epoch(job, report)

    def advanced(self, name: str, exits: float, epochs: int, report: EpochReport | StepReport) -> None:
        """Move the bar of a training that is no trial, and take it away at its end."""
        from dynsearch.training.progress import StepReport

        self._move()
        if isinstance(report, StepReport):
            self.bars.step(name, name, report, exits)
        elif report.epoch == epochs:
            self.bars.remove(name)

    def _show(self) -> None:
        self.bars.overall(self._line(), max(0, self._place - 1), self._total)

    _move = _show

    def ended(self, number: int, point: OperatingPoint | None, error: str | None) -> None:
        """Take the trial's bar away and say how it ended."""
        self.bars.remove(number)
        super().ended(number, point, error)


@contextmanager
def study_progress(
    *,
    quiet: bool,
    verbose: bool,
    num_epochs: int,
    loggers: Sequence[TrialLogger] = (),
    hours: Hours | None = None,
) -> Iterator[StudyProgress]:
    """Yield what shows a study's progress: bars on a terminal, lines elsewhere, nothing when ``quiet``.

    Args:
        quiet: Show nothing but failures.
        verbose: Also a line for every epoch.
        num_epochs: Of a trial.
        loggers: Experiment trackers; closed at the end.
        hours: Of all runs of the study.
    """
    import sys

    told: dict[str, Any] = {"epochs": num_epochs if verbose else None, "loggers": loggers, "hours": hours}
    with ExitStack() as stack:
        for logger in loggers:
            stack.callback(logger.close)
        if quiet or not sys.stdout.isatty():
            yield StudyProgress(quiet=quiet, **told)
        else:
            yield BarProgress(stack.enter_context(training_bars()), **told)
