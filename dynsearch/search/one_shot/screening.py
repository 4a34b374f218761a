"""Screening: Optuna proposes frame orders and networks; exits and thresholds are searched on score grids."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

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
    measure of the logits of one exit alone. ``prepare`` is told of ``at_once`` trunks before their grids are asked for,
    ``stopped`` says why there is none.
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
    prepare: Callable[[list[Plan]], None] = lambda trunks: None
    at_once: int = 1
    stopped: Callable[[Plan], str | None] = lambda trunk: None

    def run(self, deadline: float | None = None) -> None:
        """Screen until ``num_trunks`` are done, the space has no more, or ``deadline`` (monotonic) has passed.

        Raises:
            StudyError: No trunk has a plan within the budget.
        """
        self.study.sampler = SeededTPESampler(self.seed, parallel=self.at_once > 1)
        known = known_trunks(self.study)
        refusals, all_there_are = 0, trunk_choices(self.space)
        count = self.num_trunks if all_there_are is None else min(self.num_trunks, len(all_there_are))
        for trials in self._proposals(known):
            asked = [(trial, *self._sampled(trial)) for trial in trials]
            wanted = {trunk.plan_id: trunk for _, trunk, over in asked if over <= 0}
            self.observer.staged("order", min(len(known) + 1, count), count)
            self.prepare([trunk for plan_id, trunk in wanted.items() if plan_id not in known])
            for trial, trunk, over in asked:
                if why := self.stopped(trunk):
                    self._refuse(trial, why)
                else:
                    refusals = 0 if self._screen(trial, trunk, over, known) else refusals + 1
            late = deadline is not None and time.monotonic() > deadline
            if len(known) >= self.num_trunks or refusals >= _MAX_REFUSALS or (late and known):
                break
        if not known:
            raise StudyError(
                f"no plan that was screened keeps within {self.measure.budget_name}={self.budget:g}",
                where=self.study.study_name,
                hint=f"Raise {self.measure.budget_name}, or run again for more proposals",
            )

    def _proposals(self, known: set[str]) -> Iterator[list[Trial]]:
        """Yield what an earlier driver left, then every trunk of a small space, or what the sampler proposes."""
        if orphans := self.study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            yield [take_up(self.study, orphan) for orphan in orphans]
        choices, left = trunk_choices(self.space), None
        if choices is not None and len(choices) <= self.num_trunks:
            for params in choices:
                self.study.enqueue_trial(params, skip_if_exists=True)
            left = len(self.study.get_trials(deepcopy=False, states=[TrialState.WAITING]))
        while left is None or left > 0:
            size = min(self.at_once, self.num_trunks - len(known) if left is None else left)
            yield [self.study.ask() for _ in range(max(size, 1))]
            left = None if left is None else left - size

    def _sampled(self, trial: Trial) -> tuple[Plan, float]:
        """Return the trunk that ``trial`` proposes, and by how much its cheapest exit is over the budget."""
        trunk = sample_trunk(self.space, trial)
        cheapest = replace(trunk, exits=cheapest_exits(self.space, trunk.num_sets))
        over = excess(self.measure.cost_E(cheapest, self.num_classes)[0], self.budget)
        set_budget(trial, over, self.measure)
        return trunk, over

    def _screen(self, trial: Trial, trunk: Plan, over: float, known: set[str]) -> bool:
        """Search the exits of the trunk of ``trial`` and return True, unless it is over budget or known already."""
        if over > 0:
            return self._refuse(trial, f"its cheapest exit costs {self.measure.text(self.budget + over)}")
        if trunk.plan_id in known:
            return self._refuse(trial, "the same order and network as a trial before")
        found = placements_on(self.grid(trunk), self.space, self.confidence, seed=self.seed)
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


def placements_on(grid: ScoreGrid, space: SearchSpace, confidence: str, **how: Any) -> PlacementFrontier:
    """Return the space's placements that are near the best at every cost; see ``search_placements``."""
    rules = space.exits
    return search_placements(
        grid,
        min_exits=rules.min_exits,
        max_exits=rules.max_exits,
        min_depth=rules.min_depth,
        max_depth=rules.max_depth,
        last=rules.last,
        confidence=confidence,
        **how,
    )


def promising(found: Iterable[PlacementPoint], budget: float) -> list[PlacementPoint]:
    """Return the placements of a frontier within the budget, each at its most accurate point there.

    They rise in cost and top-1; where there are many, some, spread over the costs.
    """
    best = {point.placement: point for point in found if fits(point.cost, budget)}
    points = sorted(best.values(), key=lambda point: point.cost)
    return list(PlacementFrontier(points).thin(_MAX_PLANS)) if len(points) > _MAX_PLANS else points
