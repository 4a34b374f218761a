"""One-shot networks and score grids as jobs of an engine, by the rules of trials."""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import optuna

from dynsearch.budget import fits
from dynsearch.errors import StudyFailedError
from dynsearch.plan import Plan
from dynsearch.scores import DEFAULT_MEASURE
from dynsearch.scores.score_grid import ScoreGrid
from dynsearch.search.driver import RETRIED, TICK_SECONDS
from dynsearch.search.engines import End, Engine, Job, Outcome, Rung
from dynsearch.search.interrupts import Interrupts
from dynsearch.search.one_shot.library import Library
from dynsearch.search.one_shot.scoring import SPLIT
from dynsearch.search.one_shot.screening import placements_on
from dynsearch.search.one_shot.shape import Shape


@dataclass
class Jobs:
    """Has ``engine`` make what ``library`` lacks, as much at once as it has slots.

    ``screening`` is the record: what cut a job off is among its attributes, and costs each kind of fault once. Of
    networks of several shapes those stop early that can't reach the frontier under ``budget``.
    """

    engine: Engine
    library: Library
    screening: optuna.Study
    budget: float
    confidence: str = DEFAULT_MEASURE
    _interrupts: Interrupts = field(default_factory=Interrupts)
    _is_stopping: bool = field(default=False, init=False)

    def make(self, trunks: Iterable[Plan]) -> None:
        """Make the networks of the trunks' shapes, and then the grids of their orders, where there are none."""
        trunks = list(trunks)
        self.train(trunks)
        self._run(self.library.orders(trunk for trunk in trunks if not self.stopped(trunk)))

    def train(self, trunks: Iterable[Plan]) -> None:
        """Make the networks of the trunks' shapes that are neither there nor stopped.

        Raises:
            StudyFailedError: A job failed.
            InputError: A mistake of the user's.
            KeyboardInterrupt: After Ctrl-C, once the jobs under way are saved; after a second one, at once.
            Stopped: The same after SIGTERM.
        """
        self._run(self.library.networks(trunk for trunk in trunks if not self.stopped(trunk)))

    def stopped(self, trunk: Plan) -> str | None:
        """Return why the network of the trunk's shape was stopped, None if it was not."""
        why: str | None = self.screening.user_attrs.get(f"stopped {Shape.of(trunk).folder_name}")
        return why

    def _goes_on(self, rung: Rung) -> bool:
        """Record whether a network goes on: at some cost its plans are as good as others' at this rung, up to noise."""
        shape, library = Shape.of(rung.job.plan), self.library
        name = f"{shape.folder_name} after {rung.epoch} epochs"
        if name not in self.screening.user_attrs:
            rivals = [other for other in Shape.all_in(library.space) if other != shape]
            others = [point for rival in rivals for point in self._points(rival, rung.epoch)]
            own = self._points(shape, rung.epoch)
            leads = [top1 - max((t for c, t in others if c <= cost), default=0.0) for cost, top1 in own]
            # Two standard errors of a difference.
            noise = 2 * math.sqrt(0.5 / len(library.source.labels(SPLIT)))
            self.screening.set_user_attr(name, {"lead": max(leads, default=-1.0), "noise": noise})
        found = self.screening.user_attrs[name]
        if found["lead"] >= -found["noise"]:
            return True
        why = (
            f"the one-shot network for {shape} is stopped after {rung.epoch} epochs: at every cost under the budget "
            f"its plans are {-100 * found['lead']:.1f} points or more below others' on calibration"
        )
        self.screening.set_user_attr(f"stopped {shape.folder_name}", why)
        library.observer.noted(why)
        return False

    def _points(self, shape: Shape, epoch: int) -> list[tuple[float, float]]:
        """Return cost and top-1 on calibration of what a network's plans reached at a rung under the budget."""
        folder = self.library.rung_folder(shape, epoch)
        if not folder.is_dir():
            return []
        found = placements_on(ScoreGrid.load(folder), self.library.space, self.confidence, num_folds=None)
        return [(point.cost, point.top1) for point in found if fits(point.cost, self.budget)]

    def _run(self, jobs: Iterable[Job]) -> None:
        waiting, num_running, failure = deque(jobs), 0, ""
        with self._interrupts.watched():
            while num_running or waiting:
                if waiting and num_running < self.engine.num_slots:
                    job = waiting.popleft()
                    halvings = int(self._fault(job, End.MEMORY) in self.screening.user_attrs)
                    self.library.announce(job)
                    self.engine.submit(replace(job, halvings=halvings))
                    num_running += 1
                elif isinstance(outcome := self.engine.collect(TICK_SECONDS), Rung):
                    self.engine.answer(outcome, go_on=self._goes_on(outcome))
                elif outcome is not None:
                    num_running -= 1
                    if self._goes_on_once_more(outcome):
                        waiting.append(outcome.job)
                    elif outcome.end not in (End.DONE, End.STOPPED):
                        failure = failure or f"{_named(outcome.job)}: {outcome.error or outcome.end.value}"
                if self._interrupts.received or failure:
                    waiting.clear()
                if self._interrupts.received and num_running:
                    self._stop()
            self._interrupts.end()
        if failure:
            raise StudyFailedError(failure, hint="Mend the cause; the same command goes on")

    def _stop(self) -> None:
        """Ask the jobs under way to stop, once."""
        if not self._is_stopping:
            self._is_stopping = True
            self.library.observer.stopping()
            self.engine.stop()

    def _goes_on_once_more(self, outcome: Outcome) -> bool:
        """Record what cut a job off, and return whether it is the first time."""
        fault = self._fault(outcome.job, outcome.end)
        if outcome.end not in RETRIED or fault in self.screening.user_attrs:
            return False
        reason = outcome.error or outcome.end.value
        self.screening.set_user_attr(fault, reason)
        self.library.observer.noted(f"{_named(outcome.job)} was cut off and goes on once more: {reason}")
        return True

    @staticmethod
    def _fault(job: Job, end: End) -> str:
        return f"fault of {job.kind} {job.folder.name}: {end.value}"


def _named(job: Job) -> str:
    if job.kind == "network":
        return f"the one-shot network for {Shape.of(job.plan)}"
    return f"order {job.plan.frame_order} of {Shape.of(job.plan)}"
