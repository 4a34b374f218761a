"""Search methods replayed against a table of trained plans: what each has found for how much training.

The cost of training a plan for some epochs is counted in multiply-accumulates; training an average plan of the table
for all epochs counts 1. A replay trains each plan at most once: which of its trainings in the table that is, the
replay's seed draws. What a search has found is, for each budget, the network and thresholds that are best on
calibration, and its value their top-1 on test, mean over budgets: the hypervolume, up to a factor. Rivals are treated
generously: a proposal that the table lacks is mapped to the nearest plan not trained yet, so that no training is
wasted, and samplers that take foreign trials are told the mapped plan's own parameters. Networks stopped early count
too.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
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
    """P plans, each trained with S seeds and measured after some epochs (R rungs) at B budgets.

    Attributes:
        space: The space they were drawn from.
        plans: The plans.
        rungs: Epochs after which they were measured; the last is the full training.
        budgets: Mean cost per video.
        values_RPBS2: Top-1 on calibration and on test of what is best on calibration; -1 and 0 where no exit is within.
        full_cost_P: Cost of full inference.
        first_cost_P: Cost of the first exit, known beforehand too.
    """

    space: SearchSpace
    plans: tuple[Plan, ...]
    rungs: tuple[int, ...]
    budgets: tuple[float, ...]
    values_RPBS2: NDArray[np.float64]
    full_cost_P: NDArray[np.float64]
    first_cost_P: NDArray[np.float64]

    def drawn(self, rng: np.random.Generator) -> Draw:
        """Return the table as one replay sees it: of each plan, one training."""
        seed_P = rng.integers(self.values_RPBS2.shape[3], size=len(self.plans))
        values = self.values_RPBS2[:, np.arange(len(self.plans)), :, seed_P]  # (P, R, B, 2)
        return Draw(self, values[..., 0].swapaxes(0, 1), values[..., 1].swapaxes(0, 1))

    @property
    def price_P(self) -> NDArray[np.float64]:
        """What all epochs of a plan cost."""
        return self.full_cost_P / self.full_cost_P.mean()

    def price(self, plan: int, epochs: float) -> float:
        """Return what some epochs of a plan cost."""
        return float(self.price_P[plan] * epochs / self.rungs[-1])

    def target(self, draws: int = 500) -> float:
        """Return what all plans together reach, one training each: the mean over draws."""
        rng = np.random.default_rng(0)
        reached = []
        for _ in range(draws):
            draw, found = self.drawn(rng), Found(len(self.budgets))
            for plan in range(len(self.plans)):
                found.add(0, draw.calibration_RPB[-1, plan], draw.test_RPB[-1, plan])
            reached.append(found.values[-1])
        return float(np.mean(reached))

    def params(self, plan: Plan) -> dict[str, Any]:
        """Return the parameters by which the space proposes a plan."""
        return {"frame_order": str(plan.frame_order)} | exit_params(self.space, plan.exits)

    def nearest(self, plan: Plan, left: Sequence[int]) -> int:
        """Return which of the plans in ``left`` is most like ``plan``."""
        return min(left, key=lambda p: _distance(plan, self.plans[p]))

    def coverage_P(self) -> NDArray[np.float64]:
        """Return the share of the budgets at which each plan has an exit: known before training."""
        return (self.first_cost_P[:, None] <= np.array(self.budgets)).mean(axis=1)


@dataclass(frozen=True)
class Draw:
    """A table with one training of each plan: (R, P, B) top-1 on calibration, -1 with no exit within, and on test."""

    table: Table
    calibration_RPB: NDArray[np.float64]
    test_RPB: NDArray[np.float64]

    def area_RP(self) -> NDArray[np.float64]:
        """Return the mean over budgets of each plan's own top-1 on calibration."""
        return self.calibration_RPB.clip(min=0).mean(axis=2)


class Found:
    """What a search has found so far, for each budget the best on calibration, and what it has paid.

    Attributes:
        spent: What was paid until each step.
        values: The mean over budgets of the test top-1 of what is chosen then.
    """

    def __init__(self, num_budgets: int) -> None:
        self.calibration_B = np.full(num_budgets, -1.0)
        self.test_B = np.zeros(num_budgets)
        self.spent: list[float] = [0.0]
        self.values: list[float] = [0.0]

    def add(self, price: float, calibration_B: NDArray[np.float64], test_B: NDArray[np.float64]) -> None:
        """Pay for a network, and choose anew."""
        better_B = calibration_B > self.calibration_B
        self.calibration_B = np.where(better_B, calibration_B, self.calibration_B)
        self.test_B = np.where(better_B, test_B, self.test_B)
        self.spent.append(self.spent[-1] + price)
        self.values.append(float(self.test_B.mean()))

    def at(self, cost: float) -> float:
        """Return what was found for ``cost``."""
        return self.values[int(np.searchsorted(self.spent, cost + 1e-9, side="right")) - 1]

    def cost_of(self, value: float) -> float:
        """Return what was paid until ``value`` was first reached; all that was paid if it never was."""
        return next((c for c, v in zip(self.spent, self.values, strict=True) if v >= value), self.spent[-1])


Training = tuple[int, int]
"""A plan, and the rung to which it is trained."""


def replay(draw: Draw, trainings: Iterable[Training], enough: Callable[[Found], bool]) -> Found:
    """Return what a method finds; it is asked for a training after the other until that is enough."""
    table, found = draw.table, Found(len(draw.table.budgets))
    at: dict[int, int] = {}
    for plan, rung in trainings:
        before = table.rungs[at[plan]] if plan in at else 0
        at[plan] = rung
        price = table.price(plan, table.rungs[rung] - before)
        found.add(price, draw.calibration_RPB[rung, plan], draw.test_RPB[rung, plan])
        if enough(found):
            break
    return found


def in_order(draw: Draw, order: Iterable[int]) -> Iterator[Training]:
    """Train plans to the end, one after the other."""
    return ((plan, len(draw.table.rungs) - 1) for plan in order)


def sampled(
    draw: Draw,
    make_sampler: Callable[[int], Any],
    seed: int,
    *,
    objective: str,
    proposals: int = 1,
    foreign: bool = True,
) -> Iterator[Training]:
    """Train what an Optuna sampler proposes.

    Args:
        draw: The table.
        make_sampler: From a seed to an Optuna sampler.
        seed: Of the sampler.
        objective: ``point``: top-1 at the largest budget and the plan's GFLOPs, as ``--strategy retrain`` tells;
            ``area``: the plan's own hypervolume; ``constrained``: the same, under the constraint that an exit is within
            all budgets but the smallest; ``turns``: top-1 at one budget after another, under the constraint that an
            exit is within.
        proposals: From how many proposals the plan that has an exit at most budgets is taken.
        foreign: Whether the sampler learns from trials it did not propose; it is then told the mapped plan's
            parameters, and else its own.
    """
    table = draw.table
    directions = ["maximize", "minimize"] if objective == "point" else ["maximize"]
    rng, coverage_P = np.random.default_rng(seed), table.coverage_P()
    left, trials, budget = list(range(len(table.plans))), [], len(table.budgets) - 1
    study = optuna.create_study(sampler=make_sampler(seed), directions=directions)
    while left:
        if objective == "turns":  # The same sampler, on what is known for another budget.
            budget = int(rng.integers(len(table.budgets)))
            study = optuna.create_study(sampler=study.sampler, directions=directions)
            study.add_trials([_told(draw, plan, objective, budget) for plan in trials])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            asked = [study.ask() for _ in range(proposals)]
            nearest = [table.nearest(table.space.sample(trial), left) for trial in asked]
            taken = max(range(proposals), key=lambda k: coverage_P[nearest[k]])
            chosen = nearest[taken]
            told = _told(draw, chosen, objective, budget)
            for k, trial in enumerate(asked):
                if k == taken and not foreign:
                    study.tell(trial, told.values)
                else:
                    study.tell(trial, state=TrialState.FAIL)
            if foreign:
                study.add_trial(told)
        left.remove(chosen)
        trials.append(chosen)
        yield chosen, len(table.rungs) - 1


def _told(draw: Draw, plan: int, objective: str, budget: int) -> optuna.trial.FrozenTrial:
    """Return what a sampler is told of a plan that was trained."""
    table = draw.table
    seen = Replay(table.params(table.plans[plan]))
    table.space.sample(seen)
    top1_B = draw.calibration_RPB[-1, plan].clip(min=0)
    values = {"turns": [top1_B[budget]], "point": [top1_B[-1], table.full_cost_P[plan]]}.get(objective)
    over = float(table.first_cost_P[plan] - table.budgets[budget if objective == "turns" else 1])
    return create_trial(
        values=[float(value) for value in values or [top1_B.mean()]],
        params={name: seen.params[name] for name in seen.distributions},
        distributions=seen.distributions,
        constraints={"exit within": over} if objective in ("turns", "constrained") else None,
    )


def halved(
    draw: Draw,
    seed: int,
    *,
    eta: float = 2.0,
    fresh: str = "random",
    rank: str = "area",
) -> Iterator[Training]:
    """Train as asynchronous successive halving does with one worker (Li et al., MLSys 2020).

    It promotes a plan that is in the best 1/eta of its rung, else begins a new one.

    Args:
        draw: The table.
        seed: Of the order of new plans.
        eta: One in how many is promoted.
        fresh: New plans at ``random``, or those first that have an exit at most budgets (``coverage``).
        rank: By what plans of a rung are compared: their ``area``, what they ``add`` to the others'
            frontier, or without one number for all: fronts of top-1 at the largest budget and GFLOPs, each in
            the order of an ``epsilon-net`` (Schmucker et al., MO-ASHA, 2021) or by ``crowding``.
    """
    table = draw.table
    rng = np.random.default_rng(seed)
    coverage_P = table.coverage_P() * (fresh == "coverage")
    waiting = np.lexsort([rng.random(len(table.plans)), -coverage_P]).tolist()
    at: list[list[int]] = [[] for _ in table.rungs]  # plans that have come to each rung
    best: list[list[int]] = [[] for _ in table.rungs]  # and those among them that may go on
    while True:
        promoted = next(
            (
                (plan, rung + 1)
                for rung in range(len(at) - 2, -1, -1)
                for plan in best[rung]
                if plan not in at[rung + 1]
            ),
            None,
        )
        unfinished = ((p, r + 1) for r in range(len(at) - 1) for p in at[r] if p not in at[r + 1])
        training = promoted or ((waiting.pop(0), 0) if waiting else next(unfinished, None))
        if training is None:
            return
        plan, rung = training
        at[rung].append(plan)
        best[rung] = _ranked(draw, at[rung], rung, rank)[: int(len(at[rung]) / eta)]
        yield training


def _ranked(draw: Draw, plans: list[int], rung: int, rank: str) -> list[int]:
    """Return the plans of a rung, the best first."""
    top1_PB = draw.calibration_RPB[rung].clip(min=0)
    area_P = top1_PB.mean(axis=1)
    if rank == "area":
        return sorted(plans, key=lambda p: -area_P[p])
    if rank == "add":
        return [plans[k] for k in greedy_order(top1_PB[plans])] if plans else []
    points_P2 = np.stack([-top1_PB[:, -1], draw.table.price_P], axis=1)
    points_P2 /= np.ptp(points_P2[plans], axis=0) + 1e-12
    left, order = np.array(plans), []
    while len(left):
        no_worse = (points_P2[left][:, None] <= points_P2[left][None]).all(axis=2)
        beaten = (no_worse & ~no_worse.T).any(axis=0)
        front = left[~beaten]
        order += (_epsilon_net if rank == "epsilon-net" else _crowding)(
            front[points_P2[front, 0].argsort()], points_P2
        )
        left = left[beaten]
    return order


def greedy_order(values_PB: NDArray[np.float64]) -> list[int]:
    """Return the plans, each adding most hypervolume to those before it; NaN counts 0."""
    values = np.nan_to_num(values_PB)
    own_P, order = values.mean(axis=1), []
    best_B = np.zeros(values.shape[1])
    left = np.ones(len(values), dtype=bool)
    while left.any():
        # Ties, when nothing adds anything any more, are broken by the plans' own area.
        with_P = np.maximum(best_B, values).mean(axis=1).round(9)
        order.append(int(max(np.flatnonzero(left), key=lambda p: (with_P[p], own_P[p]))))
        left[order[-1]] = False
        best_B = np.maximum(best_B, values[order[-1]])
    return order


def _dominates(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    return bool((a <= b).all() and (a < b).any())


def _epsilon_net(front: NDArray[np.int64], points_P2: NDArray[np.float64]) -> list[int]:
    """Return the front, the most accurate first, each plan the farthest from those before it."""
    apart = np.abs(points_P2[front][:, None] - points_P2[front][None]).max(axis=2)
    order, nearest = [0], apart[0].copy()
    while len(order) < len(front):
        nearest[order] = -1
        order.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, apart[order[-1]])
    return front[order].tolist()


def _crowding(front: NDArray[np.int64], points_P2: NDArray[np.float64]) -> list[int]:
    """Return the front by how far neighbours are apart, the ends first (Deb et al., NSGA-II)."""
    ends = np.full((1, 2), np.inf)
    row = np.concatenate([-ends, points_P2[front], ends])
    apart = np.abs(row[2:] - row[:-2]).sum(axis=1)
    return front[np.argsort(-apart, kind="stable")].tolist()


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
