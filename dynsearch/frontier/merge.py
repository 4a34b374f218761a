"""One frontier over several trained plans: chosen on calibration, claimed on test."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from dynsearch.errors import InputError
from dynsearch.frontier.bootstrap import Interval, top1_interval
from dynsearch.frontier.dominance import pareto_mask
from dynsearch.frontier.solve import DEFAULT_SOLVER, solve_thresholds
from dynsearch.scores import ExitScores
from dynsearch.thresholds import OperatingPoint

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class MergedPoint(Generic[Key]):
    """A point of the merged frontier.

    Args:
        key: Which of the plans (for instance a trial number).
        calibration: What the point was chosen by; optimistic.
        test: The same policy on test scores: what is claimed.
        test_interval: Bootstrap interval of the test top-1.
    """

    key: Key
    calibration: OperatingPoint
    test: OperatingPoint
    test_interval: Interval


def merge(
    scores_of: Mapping[Key, tuple[ExitScores, ExitScores]],
    *,
    solver: str = DEFAULT_SOLVER,
    points_per_plan: int | None = None,
    level: float = 0.95,
    seed: int = 0,
    **options: Any,
) -> list[MergedPoint[Key]]:
    """Return the operating points that no plan beats on calibration, rising in calibration cost and top-1.

    Args:
        scores_of: For each plan its calibration and its test scores.
        solver: How each plan's thresholds are chosen, on calibration scores alone.
        points_per_plan: Thin each plan's frontier to this many points first; None keeps all.
        level: Of the test intervals.
        seed: Of the bootstrap.
        options: Passed to the solver.

    Raises:
        InputError: There are no plans.
        ScoresError: Some scores are unlabelled.
    """
    if not scores_of:
        raise InputError("no exit scores to merge")
    candidates: list[tuple[Key, OperatingPoint]] = []
    for key, (calibration, _) in scores_of.items():
        curve = solve_thresholds(calibration, solver, **options)
        if points_per_plan is not None:
            curve = curve.thin(points_per_plan)
        candidates += [(key, point) for point in curve]
    keep = pareto_mask([point.gflops for _, point in candidates], [point.top1 for _, point in candidates])
    # Plans can reach the very same pair; the one named first stands for it.
    chosen: dict[tuple[float, float], tuple[Key, OperatingPoint]] = {}
    for (key, point), kept in zip(candidates, keep, strict=True):
        if kept:
            chosen.setdefault((point.gflops, point.top1), (key, point))
    merged = []
    for _, (key, point) in sorted(chosen.items(), key=lambda item: item[0]):
        test = point.evaluate(scores_of[key][1])
        interval = top1_interval(test.top1, test.num_videos, level=level, seed=seed)
        merged.append(MergedPoint(key, point, test, interval))
    return merged
