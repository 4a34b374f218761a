"""Which trial runs next: one that was left behind, or a new proposal that is within budget and not known yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from dynsearch.budget import fits
from dynsearch.measures import CostMeasure
from dynsearch.plan import Plan
from dynsearch.search.claims import Claims
from dynsearch.search.halving import stopped_at
from dynsearch.search.sampler import SeededTPESampler
from dynsearch.space import SearchSpace
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.record import describe_plan, is_shared, set_budget, take_up

_MAX_REFUSALS = 100  # in a row; then the space is taken to hold no further plan under the budget


@dataclass
class Proposals:
    """Takes trials up and asks for new ones, in turns with the other drivers of the study.

    ``num_trials`` are wanted in all, by all drivers. ``refused`` is told of every proposal that is not trained, with
    the reason, before Optuna is; ``refusals`` counts those in a row.
    """

    study: optuna.Study
    space: SearchSpace
    claims: Claims
    num_trials: int
    recipe: StudyRecipe
    num_classes: int
    seed: int
    refused: Callable[[Trial, Plan, str], None]
    refusals: int = 0
    _known: KnownTrials = field(init=False)

    def __post_init__(self) -> None:
        self._known = KnownTrials(self.study)

    @property
    def exhausted(self) -> bool:
        """Whether the space seems to hold no further plan under the budget."""
        return self.refusals >= _MAX_REFUSALS

    def next(self, *, anew: bool) -> tuple[Trial, Plan] | None:
        """Return a claimed trial and its plan; None if there is none to be had now.

        Only with ``anew`` new trials may begin; trials left behind are taken up in any case.
        """
        while not self.exhausted:
            with self.claims.turn():
                self._known.update()
                trial = self._left_behind() or (self._new() if anew else None)
                if trial is None:
                    return None
                plan = self._checked(trial)
                if plan is not None:
                    self.refusals = 0
                    return trial, plan
                self.refusals += 1
                self.claims.release(trial.number)
        return None

    @property
    def place(self) -> tuple[int, int]:
        """Which one is trained now, and how many are wanted."""
        return self._known.num_taken - self._known.num_running + len(self.claims.held), self.num_trials

    def _left_behind(self) -> Trial | None:
        for orphan in self._known.running():
            if orphan.number not in self.claims.held and self.claims.take(orphan.number):
                self._seed_sampler(num_others=len(self.claims.held) - 1)
                trial = take_up(self.study, orphan)
                if self.study._storage.get_trial(trial._trial_id).state == TrialState.RUNNING:
                    return trial
                self.claims.release(orphan.number)  # Its driver told how it ended meanwhile.
        return None

    def _new(self) -> Trial | None:
        if self.num_trials <= self._known.num_taken:
            return None
        self._seed_sampler(num_others=self._known.num_running)
        trial = self.study.ask()
        self.claims.take(trial.number)
        return trial

    def _seed_sampler(self, num_others: int) -> None:
        """Let proposals keep away from those of trials under way, if there are any."""
        self.study.sampler = SeededTPESampler(self.seed, parallel=num_others > 0)

    def _checked(self, trial: Trial) -> Plan | None:
        """Return the trial's plan, or None after refusing one that is over budget or known already."""
        plan = self.space.sample(trial)
        over, reason = self.recipe.excess(plan, self.num_classes)
        set_budget(trial, over, self.recipe.measure)
        if over > 0:
            self._refuse(trial, plan, reason)
            return None
        known = self._known.with_plan(plan.plan_id, shared=is_shared(trial))
        if known not in (None, trial.number):
            self._refuse(trial, plan, f"the same plan as trial {known}")
            return None
        describe_plan(trial, plan)
        return plan

    def _refuse(self, trial: Trial, plan: Plan, reason: str) -> None:
        trial.set_user_attr("refused", reason)
        self.refused(trial, plan, reason)
        self.study.tell(trial, state=TrialState.PRUNED)


def check_budget(space: SearchSpace, recipe: StudyRecipe, num_classes: int) -> None:
    """Refuse a budget or a limit that no plan of the space can meet, and backbones that there are not.

    Raises:
        InfeasibleBudgetError: Every plan's cheapest exit costs more.
        PlanError: A backbone is unknown or can't be used.
    """
    limits = [(measure, recipe.limits[name]) for name, measure in recipe.limit_measures.items()]
    for measure, bound in [(recipe.measure, recipe.budget), *limits]:
        cheapest = cheapest_cost(space, measure, num_classes)
        if not fits(cheapest, bound):
            raise measure.too_low(bound, cheapest)


def cheapest_cost(space: SearchSpace, measure: CostMeasure, num_classes: int) -> float:
    """Return the cost of the cheapest exit of any plan of the space."""
    return min(measure.cost_E(plan, num_classes)[0] for plan in space.cheapest_plans())


class KnownTrials:
    """The trials of a study, its other drivers' too, as of the last ``update``."""

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self._open: dict[int, FrozenTrial] = {}
        self._num_seen = 0
        self._num_ended = 0
        self._plans: dict[tuple[str, bool], int] = {}

    def update(self) -> None:
        """Look at the trials that were not over the last time, and at new ones."""
        trials = self._study.get_trials(deepcopy=False)
        changing = [trials[number] for number in (*self._open, *range(self._num_seen, len(trials)))]
        self._num_seen = len(trials)
        self._open = {}
        for trial in changing:
            if not trial.state.is_finished():
                self._open[trial.number] = trial
            refused = trial.state == TrialState.PRUNED and stopped_at(trial) is None
            self._num_ended += trial.state.is_finished() and not refused
            if "plan_id" in trial.user_attrs and not refused and trial.state != TrialState.WAITING:
                self._plans.setdefault((trial.user_attrs["plan_id"], is_shared(trial)), trial.number)

    @property
    def num_running(self) -> int:
        """Trials under way, or left behind."""
        return sum(1 for _ in self.running())

    @property
    def num_taken(self) -> int:
        """Trials that count against the number wanted: all that trained or are training, however they ended."""
        return self.num_running + self._num_ended

    def running(self) -> Iterator[FrozenTrial]:
        """Yield the trials under way, or left behind, by number."""
        return (trial for trial in self._open.values() if trial.state == TrialState.RUNNING)

    def with_plan(self, plan_id: str, *, shared: bool = False) -> int | None:
        """Return the first trial that has this plan, with such weights, and was not refused; None where none has."""
        return self._plans.get((plan_id, shared))


def take_turns(study: optuna.Study, families: Sequence[str], num_trials: int) -> None:
    """Line up trials so that the families take turns and each has its share; a single family needs none.

    What else a trial proposes is the sampler's. Called again it lines up what is missing of ``num_trials``.
    """
    if len(families) > 1:
        for number in range(len(study.get_trials(deepcopy=False)), num_trials):
            study.enqueue_trial({"family": families[number % len(families)]})
