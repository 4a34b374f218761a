"""What a study found: the frontier of its retrained networks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import optuna

from dynsearch.budget import fits, last_that_fits
from dynsearch.errors import InputError, StudyError
from dynsearch.frontier import Frontier, Interval, MergedPoint, Merging, bootstrap_difference
from dynsearch.frontier.merge import Saving as Saving
from dynsearch.frontier.merge import cheapest_without_loss
from dynsearch.measures import CostMeasure
from dynsearch.plan import Plan, family_name
from dynsearch.scores import ExitScores
from dynsearch.scores.overlap import places_in
from dynsearch.study.folder import StudyFolder
from dynsearch.study.gathering import Gathering, Part
from dynsearch.study.origin import way_on
from dynsearch.study.predictions import agreement, expected_top1
from dynsearch.study.recipe import StudyRecipe, other_measure
from dynsearch.study.saved_frontiers import SavedScores, num_classes
from dynsearch.thresholds import full_inference
from dynsearch.thresholds.groups import policy_metric

Scores = Mapping[int, tuple[ExitScores, ExitScores]]


@dataclass(frozen=True)
class StudyResults:
    """All finished trials of a study, measured.

    Attributes:
        plans: By trial number.
        scores: By trial number, exit scores on calibration and test.
        points: The study's frontier: chosen on calibration, rising in cost, claimed on test.
        curves: By trial number, the threshold frontier on calibration.
        confidence: The confidence measure; None means the usual one.
        most_accurate: The trial whose full inference is most accurate on calibration.
        metrics: What the data set's results are measured by, besides top-1.
        predictions: By trial number, what the one-shot network says of the plan on calibration; empty where
            there was none.
        shared: The trials whose networks have the one-shot network's own weights.
        families: The results of each network family alone, in the order of their first trials.
        hypervolumes: The trials in order, each with the share of the rectangle up to the budget and to 100% that the
            trials up to it dominate.
        left_out: By number, trials that were measured on other videos than the study's, and how these differ.
        other: The measure that points have a column of besides their own; None where there is none.
        known: What was read from scores for results of the same gathering, so that it is read once.
    """

    plans: Mapping[int, Plan]
    scores: Scores
    points: list[MergedPoint[int]]
    curves: Mapping[int, Frontier]
    most_accurate: int
    confidence: str | None = None
    metrics: tuple[str, ...] = ()
    predictions: Mapping[int, ExitScores] = field(default_factory=dict)
    shared: Collection[int] = ()
    families: Mapping[str, StudyResults] = field(default_factory=dict)
    hypervolumes: Sequence[tuple[int, float]] = ()
    left_out: Mapping[int, str] = field(default_factory=dict)
    other: CostMeasure | None = None
    known: dict[Any, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, gathering: Gathering) -> StudyResults:
        """Return what was gathered so far.

        Raises:
            StudyError: No trial has finished.
            ScoresError: A trial's scores on test can't be read.
        """
        if gathering.left_out and not gathering.whole.plans:
            raise StudyError(
                f"no trial was measured on the study's own videos: {left_out_text(gathering.left_out)}",
                where=gathering.folder.name,
                hint="Put back the study's own data.json; without that file, the videos of most trials are its own",
            )
        if not gathering.whole.plans:
            raise StudyError(
                "no trial has finished yet",
                where=gathering.folder.name,
                hint=way_on(gathering.folder),
            )

        def measured_on_test(part: Part) -> list[MergedPoint[int]]:
            return part.merging.points(lambda number: gathering.scores.of(number, "test"))

        whole = cls(
            plans=gathering.whole.plans,
            scores=gathering.scores,
            points=measured_on_test(gathering.whole),
            curves=gathering.curves,
            confidence=gathering.confidence,
            most_accurate=gathering.most_accurate,
            metrics=gathering.metrics,
            predictions=gathering.predictions,
            shared=gathering.shared,
            hypervolumes=gathering.hypervolumes,
            left_out=dict(gathering.left_out),
            other=other_measure(gathering.under),
            known=gathering.known,
        )
        families = {
            name: replace(
                whole,
                plans=part.plans,
                scores=SavedScores(gathering.folder, part.plans, gathering.measure),
                points=measured_on_test(part) if len(gathering.families) > 1 else whole.points,
            )
            for name, part in gathering.families.items()
        }
        return replace(whole, families=families)

    @property
    def kinds(self) -> str:
        """How many plans there are, and how many of them share weights, in words."""
        count, shared = len(self.plans), len(set(self.shared) & set(self.plans))
        return f"{count} plans, {shared} with shared weights" if shared else f"{count} trained plans"

    def of_shared(self) -> StudyResults:
        """Return the results of the plans alone that have the one-shot network's own weights.

        Raises:
            StudyError: There are none.
        """
        if not self.shared:
            raise StudyError(
                "no plan of it has the weights of a one-shot network",
                hint="Give --all-budgets all, or run it with --set one_shot.shared=6",
            )
        numbers, merging = sorted(self.shared), Merging[int]()
        for number in numbers:
            merging.add(number, self.curves[number])
        full = {number: full_inference(self.scores[number][0]) for number in numbers}
        return replace(
            self,
            plans={number: self.plans[number] for number in numbers},
            points=merging.points(lambda number: self.scores[number][1]),
            most_accurate=max(numbers, key=lambda number: (full[number].top1, -full[number].cost)),
            families={},
        )

    @property
    def measure(self) -> CostMeasure:
        """What costs are in."""
        return self.points[0].measure

    def best_under(self, budget: float) -> MergedPoint[int]:
        """Return the most accurate point that, on calibration, costs at most ``budget``.

        Raises:
            InfeasibleBudgetError: Every point costs more.
        """
        return last_that_fits(self.points, budget, lambda point: point.calibration.cost, self.measure)

    def rows(self) -> list[dict[str, Any]]:
        """Return the frontier's points as rows of ``frontier.csv``."""
        return [row | _to_expect(point) for row, point in zip(self._rows, self.points, strict=True)]

    def rows_under(self, budget: float) -> list[dict[str, Any]]:
        """Return the same rows with a column ``chosen``: whether it is the best point under ``budget``."""
        inside = [i for i, point in enumerate(self.points) if fits(point.calibration.cost, budget)]
        chosen = ({"chosen": [i] == inside[-1:]} for i in range(len(self.points)))
        rows = zip(self._rows, chosen, map(_to_expect, self.points), strict=True)
        return [row | chosen | expected for row, chosen, expected in rows]

    @cached_property
    def _rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = [{}] * len(self.points)
        for i, point in sorted(
            enumerate(self.points), key=lambda item: item[1].key
        ):  # scores are read plan by plan
            metrics = self._once("metrics", point, self._metrics) if self.metrics else {}
            rows[i] = _row(self.plans[point.key], point) | metrics
        if self.other and any(
            others := [self._once(self.other, point, self._other_cost) for point in self.points]
        ):
            rows = [row | {f"test_{self.other.name}": cost} for row, cost in zip(rows, others, strict=True)]
        if self.predictions:
            rows = [row | {"predicted_top1": top1} for row, top1 in zip(rows, self._predicted(), strict=True)]
        if self.shared:
            weights = ("shared" if point.key in self.shared else "alone" for point in self.points)
            rows = [row | {"weights": own} for row, own in zip(rows, weights, strict=True)]
        return rows

    @cached_property
    def saving(self) -> Saving:
        """What dynamic inference saves against full inference, at no loss of calibration top-1 nor one to expect."""
        best = self.most_accurate
        full, on_test = self._once("full", best, lambda best: tuple(map(full_inference, self.scores[best])))
        point = cheapest_without_loss(self.points, full)
        difference = self._once((best, "beaten by"), point, lambda point: self._difference(best, point))
        return Saving(best, on_test.top1, on_test.cost, point, difference)

    def _difference(self, best: int, point: MergedPoint[int]) -> Interval:
        test, own = self.scores[best][1], self.scores[point.key][1]
        return bootstrap_difference(self.correct(point), test.correct()[-1][places_in(test, own)], own.groups)

    def _once(self, what: Any, point: Any, found: Callable[[Any], Any]) -> Any:
        """Return what is ``found`` of a point or a trial, from scores that are read the first time only."""
        key = what, (point.key, point.calibration.thresholds) if isinstance(point, MergedPoint) else point
        if key not in self.known:
            self.known[key] = found(point)
        return self.known[key]

    def one_shot_tau(self) -> float:
        """Return Kendall's tau between one-shot predictions and what training alone reached; NaN if unknown."""
        return agreement(self.predictions, self.scores, self.curves, self.confidence)

    def _other_cost(self, point: MergedPoint[int]) -> float | None:
        measure, plan, test = self.other, self.plans[point.key], self.scores[point.key][1]
        assert measure is not None
        try:
            return float(np.dot(point.test.exit_share, measure.cost_E(plan, num_classes(test))))
        except InputError:  # No table of times for this plan.
            return None

    def _metrics(self, point: MergedPoint[int]) -> dict[str, float]:
        """Return the columns of further metrics, for instance ``test_top5``."""
        policy, (calibration, test) = point.calibration.policy, self.scores[point.key]
        values: dict[str, float] = {}
        for name in self.metrics:
            if name == "map":
                # It is not what points are chosen by, so it is worth seeing on both splits.
                values["calibration_map"] = policy_metric(name, policy, calibration)
            values[f"test_{name}"] = policy_metric(name, policy, test)
        return values

    def _predicted(self) -> list[float | None]:
        """Return what the one-shot network promised of each point: its plan's top-1 at the point's cost."""
        budgets: dict[int, list[float]] = {}
        for point in self.points:
            budgets.setdefault(point.key, []).append(point.calibration.cost)
        found = {
            (number, budget): top1
            for number, own in budgets.items()
            if number in self.predictions
            for budget, top1 in zip(
                own, expected_top1(self.predictions[number], own, self.confidence), strict=True
            )
        }
        return [found.get((point.key, point.calibration.cost)) for point in self.points]

    def correct(self, point: MergedPoint[int]) -> Any:
        """Return (N,) whether the point's answer is right, for each test video."""
        test = self.scores[point.key][1]
        exit_N = point.test.policy.first_exit(point.test.policy.confidence_of(test))
        return test.correct()[exit_N, range(test.num_videos)]


def read_results(
    study: optuna.Study, folder: StudyFolder, *, solver: str, under: StudyRecipe | None = None
) -> StudyResults:
    """Read the scores of all finished trials and build the study's frontier.

    Args:
        study: The record.
        folder: Its files.
        solver: What finds thresholds.
        under: The study's recipe with another measure or other limits, by which plans are costed anew; nothing is
            trained. None takes the costs that were recorded.

    Raises:
        StudyError: No trial has finished.
        ScoresError: A trial's scores can't be read.
    """
    gathering = Gathering(study, folder, solver, under)
    gathering.update()
    return StudyResults.of(gathering)


def spread(points: Sequence[MergedPoint[int]], count: int) -> list[MergedPoint[int]]:
    """Return at most ``count`` points, both ends among them, the denser the nearer to the most accurate.

    They are evenly spread over the logarithm of what they are expected to lose against it, a point of top-1 added.
    """
    if len(points) <= count:
        return list(points)
    lost = np.log([points[-1].calibration.worth - point.calibration.worth + 0.01 for point in points])
    nearest = {int(np.abs(lost - target).argmin()) for target in np.linspace(lost[0], lost[-1], count)}
    return [points[i] for i in sorted(nearest)]


def left_out_text(left_out: Mapping[int, str]) -> str:
    """Return what is said of trials that were measured on other videos than the study's; nothing where none were."""
    numbers: dict[str, list[int]] = {}
    for number, differences in left_out.items():
        numbers.setdefault(differences, []).append(number)
    return "; ".join(
        f"trial{'s' * (len(trials) > 1)} {', '.join(map(str, trials))} on other videos ({differences})"
        for differences, trials in numbers.items()
    )


def best_rows(parts: Mapping[str, StudyResults], budget: float) -> list[dict[str, Any]]:
    """Return, as rows of ``frontier.csv``, the best point of each family under ``budget``, if it has any."""
    return [row for part in parts.values() for row in part.rows_under(budget) if row["chosen"]]


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
        f"calibration_{point.measure.name}": point.calibration.cost,
        "test_top1": point.test.top1,
        f"test_{point.measure.name}": point.test.cost,
        "test_top1_low": point.test_interval.low,
        "test_top1_high": point.test_interval.high,
    }


def _to_expect(point: MergedPoint[int]) -> dict[str, Any]:
    """Return the columns of what calibration says of new videos, without having chosen what is luck."""
    return {"expected_top1": point.calibration.expected, "doubtful": bool(point.calibration.doubt)}
