"""Screening: Optuna proposes frame orders and networks; exits and thresholds are searched on score grids."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import optuna
from optuna.trial import Trial, TrialState

from dynsearch.budget import excess, fits
from dynsearch.errors import StudyError
from dynsearch.families.grid.choices import cheapest_exits, sample_trunk, trunk_choices
from dynsearch.frontier import Limit
from dynsearch.frontier.placements import PlacementFrontier, PlacementPoint, search_placements
from dynsearch.measures import COUNTED, CostMeasure
from dynsearch.plan import Plan
from dynsearch.scores import DEFAULT_MEASURE
from dynsearch.scores.score_grid import ScoreGrid
from dynsearch.search.driver import Observer
from dynsearch.search.one_shot.screening_record import known_trunks, record_plans
from dynsearch.search.sampler import SeededTPESampler
from dynsearch.space import SearchSpace
from dynsearch.study.record import set_budget, take_up

_MAX_PLANS = 20  # recorded of a trunk
_MAX_REFUSALS = 30  # in a row; then the space is taken to hold no further trunk


@dataclass
class Screening:
    """Proposes trunks (plans apart from their exits) and searches the exits of each on its score grid, from ``grid``.

    ``study`` is the only record of what has been screened, ``num_trunks`` how many are to be. ``confidence`` is a
    measure of the logits of one exit alone.
    """

    study: optuna.Study
    space: SearchSpace
    grid: Callable[[Plan], ScoreGrid]
    num_classes: int
    budget: float
    num_trunks: int
    seed: int
    observer: Observer
    measure: CostMeasure = COUNTED
    confidence: str = DEFAULT_MEASURE
    limits: Callable[[Plan, int], Sequence[Limit]] = lambda plan, num_classes: ()

    def run(self, deadline: float | None = None) -> None:
        """Screen until ``num_trunks`` are done, the space has no more, or ``deadline`` (monotonic) has passed.

        Raises:
            StudyError: No trunk has a plan within the budget.
        """
        self.study.sampler = SeededTPESampler(self.seed, parallel=False)
        known = known_trunks(self.study)
        refusals = 0
        for trial in self._proposals():
            self.observer.staged("order", min(len(known) + 1, self.num_trunks), self.num_trunks)
            if self._screen(trial, known):
                refusals = 0
            else:
                refusals += 1
            late = deadline is not None and time.monotonic() > deadline
            if len(known) >= self.num_trunks or refusals >= _MAX_REFUSALS or (late and known):
                break
        if not known:
            raise StudyError(
                f"no plan that was screened keeps within {self.measure.budget_name}={self.budget:g}",
                where=self.study.study_name,
                hint=f"Raise {self.measure.budget_name}, or run again for more proposals",
            )

    def _proposals(self) -> Iterator[Trial]:
        """Yield what an earlier driver left, then every trunk of a small space, or what the sampler proposes."""
        for orphan in self.study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            yield take_up(self.study, orphan)
        choices = trunk_choices(self.space)
        if choices is None or len(choices) > self.num_trunks:
            while True:
                yield self.study.ask()
        for params in choices:
            self.study.enqueue_trial(params, skip_if_exists=True)
        for _ in self.study.get_trials(deepcopy=False, states=[TrialState.WAITING]):
            yield self.study.ask()

    def _screen(self, trial: Trial, known: set[str]) -> bool:
        """Search the exits of the trunk of ``trial`` and return True, unless it is over budget or known already."""
        trunk = sample_trunk(self.space, trial)
        cheapest = replace(trunk, exits=cheapest_exits(self.space, trunk.num_sets))
        cost = self.measure.cost_E(cheapest, self.num_classes)[0]
        over = excess(cost, self.budget)
        set_budget(trial, over, self.measure)
        if over > 0:
            return self._refuse(trial, f"its cheapest exit costs {self.measure.text(cost)}")
        if trunk.plan_id in known:
            return self._refuse(trial, "the same order and network as a trial before")
        rules = self.space.exits
        found = search_placements(
            self.grid(trunk),
            min_exits=rules.min_exits,
            max_exits=rules.max_exits,
            min_depth=rules.min_depth,
            max_depth=rules.max_depth,
            last=rules.last,
            confidence=self.confidence,
            seed=self.seed,
        )
        points = promising(self._within_limits(found, trunk), self.budget)
        if not points:
            return self._refuse(trial, f"its cheapest point costs {self.measure.text(found[0].cost)}")
        record_plans(trial, self.space, trunk, points, over, self.measure)
        known.add(trunk.plan_id)
        best = points[-1]
        expected = (
            "" if best.expected is None else f", {100 * best.expected.top1:.1f}% expected on new videos"
        )
        self.observer.noted(
            f"order {trunk.frame_order}, {trunk.temporal_shift}: exits {best.placement} give "
            f"{100 * best.top1:.1f}% at {self.measure.text(best.cost)}{expected}"
        )
        return True

    def _within_limits(self, found: PlacementFrontier, trunk: Plan) -> list[PlacementPoint]:
        """Return the points that keep the limits besides the budget."""
        limits = {
            placement: self.limits(replace(trunk, exits=placement), self.num_classes)
            for placement in found.placements
        }
        return [
            point for point in found if all(limit.keeps(point.chosen) for limit in limits[point.placement])
        ]

    @staticmethod
    def _refuse(trial: Trial, reason: str) -> bool:
        trial.set_user_attr("refused", reason)
        trial.study.tell(trial, state=TrialState.PRUNED)
        return False


def promising(found: Iterable[PlacementPoint], budget: float) -> list[PlacementPoint]:
    """Return the placements of a frontier within the budget, each at its most accurate point there.

    They rise in cost and top-1; where there are many, some, spread over the costs.
    """
    best = {point.placement: point for point in found if fits(point.cost, budget)}
    points = sorted(best.values(), key=lambda point: point.cost)
    return list(PlacementFrontier(points).thin(_MAX_PLANS)) if len(points) > _MAX_PLANS else points
