"""What long work tells while it runs, a few times a second at most."""

import time
from collections.abc import Callable
from dataclasses import dataclass

_SECONDS_BETWEEN = 0.25


@dataclass(frozen=True)
class StepReport:
    """Where training or scoring is.

    Attributes:
        phase: ``training``, or ``scoring`` with the split's name.
        epoch: The epoch under way, counted from 1; 0 when scoring.
        num_epochs: How many there are; 0 when scoring.
        done: Videos done in this epoch or split.
        total: Videos in it.
        loss: Mean loss of this epoch so far; None when scoring.
        top1: Share of this epoch's videos so far that the last exit has right; None when scoring.
    """

    phase: str
    epoch: int
    num_epochs: int
    done: int
    total: int
    loss: float | None = None
    top1: float | None = None


OnStep = Callable[[StepReport], None]


class StepReporter:
    """Passes on step reports, at most four a second, and always the last of an epoch or split."""

    def __init__(
        self, on_step: OnStep | None, phase: str, total: int, *, epoch: int = 0, num_epochs: int = 0
    ) -> None:
        self._on_step = on_step
        self._facts = (phase, epoch, num_epochs)
        self._total = total
        self._told = float("-inf")

    def tell(self, done: int, loss: float | None = None, top1: float | None = None) -> None:
        """Say that ``done`` videos are done."""
        now = time.monotonic()
        if self._on_step and (now - self._told >= _SECONDS_BETWEEN or done >= self._total):
            self._told = now
            self._on_step(StepReport(*self._facts, done, self._total, loss, top1))
