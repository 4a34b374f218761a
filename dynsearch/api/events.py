"""What a running study tells a function of the user's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from dynsearch.api.progress import StudyProgress
from dynsearch.plan import Plan
from dynsearch.search.engines import Job
from dynsearch.thresholds import OperatingPoint
from dynsearch.training.loop import EpochReport
from dynsearch.training.progress import StepReport


@dataclass(frozen=True, kw_only=True)
class StudyEvent:
    """One step of a study.

    Attributes:
        kind: What happened; ``note`` is a line worth reading.
        text: The same in words, as a terminal shows it.
        trial: The trial's number, if it is about one.
        plan: Its plan, when it began.
        point: Its best point under the budget, on calibration, when it ended well.
        epoch: The epoch it finished.
        num_epochs: How many there are.
        top1: Training top-1 of that epoch, 0..1.
    """

    kind: Literal["started", "epoch", "ended", "failed", "note"]
    text: str
    trial: int | None = None
    plan: Plan | None = None
    point: OperatingPoint | None = None
    epoch: int | None = None
    num_epochs: int | None = None
    top1: float | None = None


class CallbackProgress(StudyProgress):
    """Tells a function every step.

    What the function raises ends the study, which can go on later. ``how`` is as of :class:`StudyProgress`.
    """

    def __init__(self, tell: Callable[[StudyEvent], None], **how: Any) -> None:
        super().__init__(write=self._say, **how)
        self._tell = tell
        self._event = StudyEvent(kind="note", text="")

    def _say(self, line: str) -> None:
        self._tell(StudyEvent(**self._event.__dict__ | {"text": line}))

    def started(self, number: int, plan: Plan) -> None:
        """Tell what is trained now."""
        self._about(StudyEvent(kind="started", text="", trial=number, plan=plan))
        super().started(number, plan)
        self._about()

    def ended(self, number: int, point: OperatingPoint | None, error: str | None) -> None:
        """Tell how a trial ended."""
        kind: Literal["ended", "failed"] = "failed" if point is None else "ended"
        self._about(StudyEvent(kind=kind, text="", trial=number, point=point))
        super().ended(number, point, error)
        self._about()

    def epoch(self, job: Job, report: EpochReport | StepReport) -> None:
        """Tell of a finished epoch."""
        if isinstance(report, EpochReport):
            self._about(
                StudyEvent(
                    kind="epoch",
                    text="",
                    trial=job.number,
                    epoch=report.epoch,
                    num_epochs=self.epochs,
                    top1=report.top1,
                )
            )
        super().epoch(job, report)
        self._about()

    def _about(self, event: StudyEvent | None = None) -> None:
        self._event = event or StudyEvent(kind="note", text="")
