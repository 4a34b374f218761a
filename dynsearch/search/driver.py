"""The driver: proposes plans, refuses those over budget, and tells the study what became of the others."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import optuna
from optuna.trial import Trial, TrialState

from dynsearch.errors import StudyError, StudyFailedError
from dynsearch.plan import Plan
from dynsearch.search.claims import Claims
from dynsearch.search.engines import End, Engine, Job, Outcome, Rung
from dynsearch.search.halving import goes_on, stopped_at, values
from dynsearch.search.interrupts import Interrupts
from dynsearch.search.proposals import Proposals, cheapest_cost, take_turns
from dynsearch.space import SearchSpace
from dynsearch.study.folder import StudyFolder
from dynsearch.study.notes import DashboardNotes
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.record import (
    add_fault,
    describe_failure,
    describe_point,
    failure_of,
    faults_of,
    finished,
    is_shared,
    told_of_full_disks,
)
from dynsearch.study.saved_frontiers import solved_once
from dynsearch.thresholds import OperatingPoint
from dynsearch.training.loop import EpochReport
from dynsearch.training.made import SCORES, WEIGHTS, key_in
from dynsearch.training.progress import StepReport

RETRIED = (End.MEMORY, End.DIED, End.DEVICE)  # once for each kind
TICK_SECONDS = 0.5  # how often signals are looked for
_LOOK_SECONDS = 30.0  # how often a driver with free slots looks for trials that others left behind


class Observer(Protocol):
    """Told what the driver does, for progress display."""

    def refused(self, number: int, plan: Plan, reason: str) -> None:
        """A proposal was not trained."""

    def started(self, number: int, plan: Plan) -> None:
        """A trial began, or went on."""

    def retried(self, number: int, reason: str) -> None:
        """A trial was cut off and goes on once more."""

    def stopping(self) -> None:
        """The study was interrupted; what is under way is being saved."""

    def ended(self, number: int, point: OperatingPoint | None, error: str | None) -> None:
        """A trial finished with its point under the budget, or failed."""

    def noted(self, line: str) -> None:
        """Something was done or found that is worth a line."""

    def staged(self, stage: str, place: int, total: int) -> None:
        """The ``place``-th of ``total`` begins in this stage of the study; 0 of 0 where it is one thing."""

    def advanced(self, name: str, exits: float, epochs: int, report: EpochReport | StepReport) -> None:
        """A training that is no trial went on: its loss is over so many ``exits``, of so many epochs."""

    def exhausted(self) -> None:
        """The space seems to hold no further plan under the budget; the study ends with what it has."""


@dataclass
class Driver:
    """Runs a study to its end, alone or beside other drivers. Only drivers ask and tell.

    Attributes:
        num_classes: K of the data set; with it the cost of a plan is known before training.
        after_trial: Called after every finished trial, for instance to redraw the frontier.
        notes: Told of every trial before Optuna is, for what a dashboard shows.
        max_hours: No further trial begins after this time; None means no limit.
    """

    study: optuna.Study
    recipe: StudyRecipe
    space: SearchSpace
    engine: Engine
    folder: StudyFolder
    num_classes: int
    observer: Observer
    after_trial: Callable[[], None]
    notes: DashboardNotes
    max_hours: float | None = None
    _interrupts: Interrupts = field(default_factory=Interrupts)
    _running: dict[int, Trial] = field(default_factory=dict)

    def run(self) -> None:
        """Propose and evaluate until the recipe's number of trials is reached.

        Raises:
            StudyFailedError: Every trial failed.
            StudyError: The space holds no further plans, and no trial finished.
            KeyboardInterrupt: After Ctrl-C, once the trials under way are saved; after a second one, at once.
            Stopped: The same after SIGTERM.
            DynsearchError: The record can't be written any more.
        """
        with self._interrupts.watched(), told_of_full_disks(self.folder.name):
            self._run()
            self._interrupts.end()

    def _run(self) -> None:
        started = time.monotonic()
        claims = Claims(self.folder.path)
        try:
            with claims.turn():
                take_turns(self.study, self.space.families, self.recipe.num_trials)
            self._drive(self._proposals(claims), started)
        finally:
            claims.close()

    def _proposals(self, claims: Claims) -> Proposals:
        return Proposals(
            study=self.study,
            space=self.space,
            claims=claims,
            num_trials=self.recipe.num_trials,
            recipe=self.recipe,
            num_classes=self.num_classes,
            seed=self.recipe.seed,
            refused=self._refused,
        )

    def _refused(self, trial: Trial, plan: Plan, reason: str) -> None:
        self.notes.refused(trial, plan, reason)
        self.observer.refused(trial.number, plan, reason)

    def _drive(self, proposals: Proposals, started: float) -> None:
        look_again = 0.0
        while not self._interrupts.received:
            now = time.monotonic()
            in_time = self.max_hours is None or now - started < 3600 * self.max_hours
            found = None
            if len(self._running) < self.engine.num_slots and now >= look_again:
                found = proposals.next(anew=in_time)
                look_again = 0.0 if found else now + _LOOK_SECONDS
            if found and stopped_at(found[0]) is not None:  # and then the driver died
                self._stop_early(*found)
                proposals.claims.release(found[0].number)
            elif found:
                self.notes.begun(*found)
                self.observer.staged("plan", *proposals.place)
                self.observer.started(found[0].number, found[1])
                if (self.folder.trial(found[0].number) / WEIGHTS).is_file():
                    self.observer.noted(f"trial {found[0].number} is trained already")
                self._submit(*found)
            elif self._running:
                ended = self._collect()
                if ended is not None:
                    proposals.claims.release(ended)
                    look_again = 0.0
            else:
                self._check_outcome(exhausted=proposals.exhausted)
                return
        if self._running:
            self.observer.stopping()
            self.engine.stop()
        while self._running:
            self._collect()

    def _check_outcome(self, *, exhausted: bool) -> None:
        """Raise the reason when no trial finished."""
        if finished(self.study):
            if exhausted:
                self.observer.exhausted()
            return
        failed = self.study.get_trials(deepcopy=False, states=[TrialState.FAIL])
        if self.study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            return  # Other drivers are still at work.
        if failed:
            raise StudyFailedError(
                f"every trial failed; the last: {failure_of(failed[-1])}",
                where=self.folder.name,
                hint=f"Mend the cause, then begin anew: dynsearch study restart {self.folder.name}",
            )
        if exhausted:
            measure, budget = self.recipe.measure, self.recipe.budget
            cheapest = measure.text(cheapest_cost(self.space, measure, self.num_classes))
            raise StudyError(
                f"no proposal in a long row keeps within {measure.budget_name}={budget:g}; the cheapest exit of any "
                f"plan costs {cheapest}",
                where=self.folder.name,
                hint=f"Raise {measure.budget_name}: under the same name, as nothing was trained",
            )

    def _submit(self, trial: Trial, plan: Plan) -> None:
        halvings = faults_of(trial).count(End.MEMORY.value)
        self._running[trial.number] = trial
        folder = self.folder.trial(trial.number)
        self.engine.submit(Job(trial.number, plan, folder, halvings, is_shared(trial)))

    def _collect(self) -> int | None:
        """Wait a moment for a job to end, tell the study how it did, and return the trial if it is ended."""
        outcome = self.engine.collect(TICK_SECONDS)
        if outcome is None:
            return None
        if isinstance(outcome, Rung):
            self._judge(outcome)
            return None
        trial = self._running.pop(outcome.job.number)
        if outcome.end is End.STOPPED:
            if stopped_at(trial) is None:
                return None  # Left RUNNING, to be taken up again.
            self._stop_early(trial, outcome.job.plan)
            return trial.number
        if outcome.end in RETRIED and self._has_second_chance(trial, outcome):
            if not self._interrupts.received:
                self._submit(trial, outcome.job.plan)
            return None
        self._end(trial, outcome)
        return trial.number

    def _judge(self, rung: Rung) -> None:
        """Decide whether a trial that may be stopped early goes on."""
        trial, recipe = self._running[rung.job.number], self.recipe
        good = goes_on(self.study, trial, recipe.pruner, recipe.plan_epochs, rung.epoch, rung.top1)
        self.engine.answer(rung, go_on=good)

    def _stop_early(self, trial: Trial, plan: Plan) -> None:
        epoch = stopped_at(trial)
        assert epoch is not None
        reason = f"stopped after epoch {epoch}, at top-1 {100 * values(trial)[epoch]:.1f}% under the budget"
        self.notes.refused(trial, plan, reason)
        (self.folder.trial(trial.number) / "training-state.safetensors").unlink(missing_ok=True)
        self.study.tell(trial, state=TrialState.PRUNED)
        self.observer.noted(f"trial {trial.number} {reason}")

    def _has_second_chance(self, trial: Trial, outcome: Outcome) -> bool:
        """Record what cut the trial off, and return whether it is the first time."""
        is_first = outcome.end.value not in faults_of(trial)
        reason = outcome.error or outcome.end.value
        add_fault(trial, outcome.end.value, reason)
        if is_first:
            self.observer.retried(trial.number, reason)
        return is_first

    def _end(self, trial: Trial, outcome: Outcome) -> None:
        if outcome.scores is None:
            self._fail(trial, outcome.job.plan, outcome.error or outcome.end.value)
            return
        recipe, calibration = self.recipe, outcome.scores
        curve = solved_once(
            outcome.job.folder, calibration, recipe.solver, recipe.confidence, recipe.solver_options,
            recipe.limits_on(outcome.job.plan, self.num_classes),
        )  # fmt: skip
        point = curve.best_under(self.recipe.budget)
        describe_point(trial, point, key_in(outcome.job.folder / SCORES["test"]))
        self.notes.finished(trial, outcome.job.plan, calibration, curve, point)
        self.study.tell(trial, (point.top1, point.cost))
        self.observer.ended(trial.number, point, None)
        self.after_trial()

    def _fail(self, trial: Trial, plan: Plan, error: str) -> None:
        describe_failure(trial, error)
        self.notes.failed(trial, plan, error)
        self.study.tell(trial, state=TrialState.FAIL)
        self.observer.ended(trial.number, None, error)
