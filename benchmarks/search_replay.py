"""Search methods replayed against a table of trained plans: how many trainings each needs.

A training of one plan counts 1. Rivals are treated generously: a proposal that the table lacks is mapped to the
nearest plan not trained yet, so that no training is wasted, and samplers that take foreign trials are told the
mapped plan's own parameters. ASHA pays only for the epochs it runs, and plans it stopped early count too.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import TrialState, create_trial

from dynsearch.families.grid.choices import exit_params
from dynsearch.plan import Plan
from dynsearch.search.one_shot.screening_record import Replay
from dynsearch.space import SearchSpace

optuna.logging.set_verbosity(optuna.logging.ERROR)


@dataclass(frozen=True)
class Table:
    """P plans, each measured after some epochs (R rungs) at B budgets.

    Attributes:
        space: The space they were drawn from.
        plans: The plans.
        rungs: Epochs after which they were measured; the last is the full training.
        test_RPB: Top-1 on test, mean over seeds; 0 where no exit is within the budget.
        calibration_RPB: What a search method sees.
        full_cost_P: Cost of full inference.
    """

    space: SearchSpace
    plans: tuple[Plan, ...]
    rungs: tuple[int, ...]
    test_RPB: NDArray[np.float64]
    calibration_RPB: NDArray[np.float64]
    full_cost_P: NDArray[np.float64]

    def area(self, reached_PB: NDArray[np.float64]) -> float:
        """Return the mean over budgets of the best top-1: the hypervolume, up to a factor."""
        return float(reached_PB.max(axis=0).mean()) if len(reached_PB) else 0.0

    @property
    def target(self) -> float:
        """What all plans together reach."""
        return self.area(self.test_RPB[-1])

    def params(self, plan: Plan) -> dict[str, Any]:
        """Return the parameters by which the space proposes a plan."""
        return {"frame_order": str(plan.frame_order)} | exit_params(self.space, plan.exits)

    def nearest(self, plan: Plan, left: Sequence[int]) -> int:
        """Return which of the plans in ``left`` is most like ``plan``."""
        return min(left, key=lambda p: _distance(plan, self.plans[p]))


def trainings_to_reach(table: Table, order: Sequence[int], share: float) -> int:
    """Return how many of the plans in ``order`` must be trained to reach ``share`` of the table's hypervolume."""
    for count in range(1, len(order) + 1):
        if table.area(table.test_RPB[-1][list(order[:count])]) >= share * table.target:
            return count
    return len(order)


def sampled_order(
    table: Table, make_sampler: Callable[[int], Any], seed: int, *, objective: str, foreign: bool
) -> list[int]:
    """Return the table's plans in the order in which a sampler would train them.

    Args:
        table: The table.
        make_sampler: From a seed to an Optuna sampler.
        seed: Of the sampler.
        objective: ``point``: top-1 and GFLOPs at the largest budget, as ``--strategy retrain`` tells;
            ``area``: the plan's own hypervolume.
        foreign: Whether the sampler learns from trials it did not propose; it is then told the mapped plan's
            parameters, and else its own.
    """
    directions = ["maximize", "minimize"] if objective == "point" else ["maximize"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(sampler=make_sampler(seed), directions=directions)
        left, order = list(range(len(table.plans))), []
        while left:
            trial = study.ask()
            chosen = table.nearest(table.space.sample(trial), left)
            left.remove(chosen)
            order.append(chosen)
            top1_B = table.calibration_RPB[-1, chosen]
            values = (top1_B[-1], table.full_cost_P[chosen]) if objective == "point" else (top1_B.mean(),)
            if not foreign:
                study.tell(trial, values)
                continue
            study.tell(trial, state=TrialState.FAIL)
            replay = Replay(table.params(table.plans[chosen]))
            table.space.sample(replay)
            params = {name: replay.params[name] for name in replay.distributions}
            study.add_trial(create_trial(values=values, params=params, distributions=replay.distributions))
    return order


def asha_cost(table: Table, seed: int, share: float, *, eta: float = 2.0) -> float:
    """Return the trainings' worth of epochs that asynchronous successive halving needs (Li et al., MLSys 2020).

    One worker: it promotes a plan that is in the best 1/eta of its rung, else begins a new random one. Plans
    count with what they reached so far.
    """
    rng = np.random.default_rng(seed)
    fresh = rng.permutation(len(table.plans)).tolist()
    at: list[list[int]] = [[] for _ in table.rungs]  # plans that have come to each rung
    reached = np.zeros_like(table.test_RPB[0])
    spent = 0
    while True:
        rung, plan = _promotion(table, at, eta) or (0, fresh.pop() if fresh else None)
        if plan is None:
            rung, plan = next((r + 1, p) for r in range(len(at) - 1) for p in at[r] if p not in at[r + 1])
        spent += table.rungs[rung] - (table.rungs[rung - 1] if rung else 0)
        at[rung].append(plan)
        reached[plan] = np.maximum(reached[plan], table.test_RPB[rung, plan])
        everything = all(len(plans) == len(table.plans) for plans in at)
        if table.area(reached) >= share * table.target or everything:
            return spent / table.rungs[-1]


def _promotion(table: Table, at: list[list[int]], eta: float) -> tuple[int, int] | None:
    for rung in range(len(at) - 2, -1, -1):
        ranked = sorted(at[rung], key=lambda p: -table.calibration_RPB[rung, p].mean())
        for plan in ranked[: int(len(ranked) / eta)]:
            if plan not in at[rung + 1]:
                return rung + 1, plan
    return None


def _distance(a: Plan, b: Plan) -> float:
    """Return how unlike two plans are: their order, their number of exits, and where the exits sit."""
    cells = [np.array([(e.sets, e.depth) for e in plan.exits.exits], dtype=float) for plan in (a, b)]
    gaps = np.abs(cells[0][:, None] - cells[1][None]) / (a.num_sets, 4)
    apart = gaps.sum(axis=2)
    return float(
        (a.frame_order != b.frame_order)
        + abs(len(a.exits) - len(b.exits)) / 2
        + apart.min(axis=0).mean()
        + apart.min(axis=1).mean()
    )
