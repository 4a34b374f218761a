"""What ``dynsearch train`` shows while it runs."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import click

from dynsearch.api.bars import TrainingBars, epoch_line, training_bars
from dynsearch.plan import Plan
from dynsearch.search.loggers import TrialLogger
from dynsearch.thresholds import OperatingPoint
from dynsearch.training.loop import EpochReport
from dynsearch.training.progress import StepReport


@dataclass(eq=False)
class TrainProgress:
    """Shows the epochs of one training, and tells the experiment trackers, as trial 0.

    Args:
        num_epochs: How many there are.
        num_exits: Of the plan.
        bars: A terminal's bars; without them every epoch is a line.
        quiet: Show nothing.
        loggers: Experiment trackers.
    """

    num_epochs: int
    num_exits: int
    bars: TrainingBars | None
    quiet: bool
    loggers: Sequence[TrialLogger]

    def step(self, report: StepReport) -> None:
        """Move the bar."""
        if self.bars:
            self.bars.step(0, "", report, self.num_exits)

    def epoch(self, report: EpochReport) -> None:
        """Say what an epoch did."""
        for logger in self.loggers:
            logger.epoch(0, report)
        self.write(epoch_line(report, self.num_epochs, self.num_exits))

    def write(self, text: str) -> None:
        """Show a text beside the bars."""
        if not self.quiet:
            (self.bars.bars.console.print if self.bars else click.echo)(text)

    def ended(self, point: OperatingPoint) -> None:
        """Tell the trackers what came of it."""
        for logger in self.loggers:
            logger.ended(0, point, None)


@contextmanager
def training_progress(
    plan: Plan, num_epochs: int, *, quiet: bool, loggers: Sequence[TrialLogger]
) -> Iterator[TrainProgress]:
    """Yield what shows a training's progress: a bar on a terminal, a line an epoch, nothing when ``quiet``."""
    with ExitStack() as stack:
        for logger in loggers:
            stack.callback(logger.close)
            logger.started(0, plan)
        bars = None if quiet or not sys.stdout.isatty() else stack.enter_context(training_bars())
        yield TrainProgress(num_epochs, len(plan.exits), bars, quiet=quiet, loggers=loggers)
