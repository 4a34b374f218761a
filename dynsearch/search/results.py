"""What a study found: the frontier of its retrained networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import optuna

from dynsearch.data.catalogue import get_metrics
from dynsearch.errors import InfeasibleBudgetError, StudyError
from dynsearch.frontier import Interval, MergedPoint, bootstrap_difference, merge
from dynsearch.frontier.solve import DEFAULT_SOLVER
from dynsearch.plan import Plan, family_name
from dynsearch.scores import ExitScores
from dynsearch.search.folder import StudyFolder
from dynsearch.search.one_shot.predictions import (
    agreement,
    expected_top1,
    one_shot_folder,
    read_prediction,
)
from dynsearch.search.record import finished, plan_of
from dynsearch.thresholds import ExitPolicy, evaluate_policy
from dynsearch.thresholds.policy_metrics import policy_metric

Scores = dict[int, tuple[ExitScores, ExitScores]]


@dataclass(frozen=True)
class StudyResults:
    """All finished trials of a study, measured.

    Attributes:
        plans: By trial number.
        scores: By trial number, exit scores on calibration and test.
        points: The study's frontier: chosen on calibration, rising in GFLOPs, claimed on test.
        metrics: What the data set's results are measured by, besides top-1.
        predictions: By trial number, what the one-shot network says of the plan on calibration; empty where
            there was none.
        solver: The threshold solver.
    """

    plans: dict[int, Plan]
    scores: Scores
    points: list[MergedPoint[int]]
    metrics: tuple[str, ...] = ()
    predictions: dict[int, ExitScores] = field(default_factory=dict)
    solver: str = DEFAULT_SOLVER

    def best_under(self, max_gflops: float) -> MergedPoint[int]:
        """Return the most accurate point that, on calibration, costs at most ``max_gflops``.

        Raises:
            InfeasibleBudgetError: Every point costs more.
        """
        inside = [point for point in self.points if point.calibration.gflops <= max_gflops]
        if not inside:
            raise InfeasibleBudgetError(max_gflops, self.points[0].calibration.gflops, where="--max-gflops")
        return inside[-1]

    def rows(self) -> list[dict[str, Any]]:
        """Return the frontier's points as rows of ``frontier.csv``."""
        return [dict(row) for row in self._rows]

    @cached_property
    def _rows(self) -> list[dict[str, Any]]:
        rows = [
            _row(self.plans[point.key], point) | _metrics(point, *self.scores[point.key], self.metrics)
            for point in self.points
        ]
        if not self.predictions:
            return rows
        return [row | {"predicted_top1": top1} for row, top1 in zip(rows, self._predicted(), strict=True)]

    def one_shot_tau(self) -> float:
        """Return Kendall's tau between one-shot predictions and what training alone reached; NaN if unknown."""
        return agreement(self.predictions, self.scores, self.solver)

    def _predicted(self) -> list[float | None]:
        """Return what the one-shot network promised of each point: its plan's top-1 at the point's GFLOPs."""
        budgets: dict[int, list[float]] = {}
        for point in self.points:
            budgets.setdefault(point.key, []).append(point.calibration.gflops)
        found = {
            (number, budget): top1
            for number, own in budgets.items()
            if number in self.predictions
            for budget, top1 in zip(own, expected_top1(self.predictions[number], own), strict=True)
        }
        return [found.get((point.key, point.calibration.gflops)) for point in self.points]

    def correct(self, point: MergedPoint[int]) -> Any:
        """Return (N,) whether the point's answer is right, for each test video."""
        test = self.scores[point.key][1]
        exit_N = point.test.policy.first_exit(point.test.policy.confidence_of(test))
        return test.correct()[exit_N, range(test.num_videos)]


@dataclass(frozen=True)
class Saving:
    """How much cheaper dynamic inference is than full inference, at no loss on calibration.

    Full inference sends every video to the last exit of the trial that is then most accurate on calibration.

    Attributes:
        full_trial: That trial.
        full_top1: Its test top-1, 0..1.
        full_gflops: Its GFLOPs per video.
        point: The cheapest frontier point at least as accurate on calibration.
        difference: Bootstrap interval of the point's test top-1 minus the full network's (paired).
    """

    full_trial: int
    full_top1: float
    full_gflops: float
    point: MergedPoint[int]
    difference: Interval

    @property
    def share(self) -> float:
        """The part of full inference's GFLOPs that is saved, 0..1."""
        return 1 - self.point.test.gflops / self.full_gflops


def read_results(study: optuna.Study, folder: StudyFolder, *, solver: str) -> StudyResults:
    """Read the scores of all finished trials and build the study's frontier.

    Raises:
        StudyError: No trial has finished.
        ScoresError: A trial's scores can't be read.
    """
    trials = finished(study)
    if not trials:
        raise StudyError(
            "no trial has finished yet",
            where=folder.name,
            hint="Wait for the first one; `dynsearch dashboard` shows how far it is",
        )
    scores = {
        trial.number: (
            ExitScores.load(folder.trial(trial.number) / "scores-calibration.npz"),
            ExitScores.load(folder.trial(trial.number) / "scores-test.npz"),
        )
        for trial in trials
    }
    plans = {trial.number: plan_of(trial) for trial in trials}
    metrics = tuple(name for name in get_metrics(folder.recipe().dataset) if name != "top1")
    said = {number: read_prediction(one_shot_folder(folder), plan) for number, plan in plans.items()}
    predictions = {number: own for number, own in said.items() if own is not None}
    return StudyResults(plans, scores, merge(scores, solver=solver), metrics, predictions, solver)


def saving_at_equal_accuracy(results: StudyResults) -> Saving:
    """Return what dynamic inference saves against full inference, at no loss of calibration top-1."""
    full = {number: evaluate_policy(full_policy(pair[0]), pair[0]) for number, pair in results.scores.items()}
    best = max(full, key=lambda number: (full[number].top1, -full[number].gflops))
    test = results.scores[best][1]
    on_test = evaluate_policy(full_policy(test), test)
    as_good = (point for point in results.points if point.calibration.top1 >= full[best].top1)
    point = next(as_good, results.points[-1])
    difference = bootstrap_difference(results.correct(point), test.correct()[-1])
    return Saving(best, on_test.top1, on_test.gflops, point, difference)


def full_policy(scores: ExitScores) -> ExitPolicy:
    """Return the policy that never stops early."""
    return ExitPolicy((float("inf"),) * (scores.num_exits - 1) + (float("-inf"),), plan_id=scores.plan_id)


def spread(points: Sequence[MergedPoint[int]], count: int) -> list[MergedPoint[int]]:
    """Return at most ``count`` points, both ends among them, evenly spread over top-1 on calibration."""
    if len(points) <= count:
        return list(points)
    low, high = points[0].calibration.top1, points[-1].calibration.top1
    targets = [low + (high - low) * i / (count - 1) for i in range(count)]
    nearest = {
        min(range(len(points)), key=lambda i: abs(points[i].calibration.top1 - target)) for target in targets
    }
    return [points[i] for i in sorted(nearest)]


def _row(plan: Plan, point: MergedPoint[int]) -> dict[str, Any]:
    return {
        "trial": point.key,
        "plan_id": plan.plan_id,
        "family": family_name(plan),
        "backbone": plan.backbone,
        "num_frames": plan.num_frames,
        "exits": str(plan.exits),
        "frame_order": str(plan.frame_order),
        "thresholds": " ".join(f"{value:.6g}" for value in point.calibration.thresholds[:-1]),
        "calibration_top1": point.calibration.top1,
        "calibration_gflops": point.calibration.gflops,
        "test_top1": point.test.top1,
        "test_gflops": point.test.gflops,
        "test_top1_low": point.test_interval.low,
        "test_top1_high": point.test_interval.high,
    }


def _metrics(
    point: MergedPoint[int], calibration: ExitScores, test: ExitScores, names: Sequence[str]
) -> dict[str, float]:
    """Return the columns of further metrics, for instance ``test_top5``."""
    policy = point.calibration.policy
    values: dict[str, float] = {}
    for name in names:
        if name == "map":
            # It is not what points are chosen by, so it is worth seeing on both splits.
            values["calibration_map"] = policy_metric(name, policy, calibration)
        values[f"test_{name}"] = policy_metric(name, policy, test)
    return values
