"""One frontier over several trained plans: chosen on calibration, claimed on test."""

import itertools
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from dynsearch.errors import InputError, ScoresError
from dynsearch.frontier.bootstrap import Interval, share_interval
from dynsearch.frontier.choose_confidence import named_confidence
from dynsearch.frontier.dominance import pareto_mask
from dynsearch.frontier.solve import DEFAULT_SOLVER, solve_thresholds
from dynsearch.measures import CostMeasure, one_measure
from dynsearch.scores import ExitScores
from dynsearch.scores.overlap import of_same_videos
from dynsearch.thresholds import OperatingPoint, evaluate_policies

Key = TypeVar("Key", bound=Hashable)
_UNSEEN_LOSS = 0.005


@dataclass(frozen=True)
class MergedPoint(Generic[Key]):
    """A point of the merged frontier, of the plan ``key`` (for instance a trial number).

    Args:
        key: Which of the plans.
        calibration: What the point was chosen by; optimistic.
        test: The same policy on test scores: what is claimed.
        test_interval: Bootstrap interval of the test top-1.
    """

    key: Key
    calibration: OperatingPoint
    test: OperatingPoint
    test_interval: Interval

    @property
    def measure(self) -> CostMeasure:
        """What its costs are in."""
        return self.calibration.measure


@dataclass(frozen=True)
class Saving:
    """How much cheaper dynamic inference is than full inference, at no loss on calibration.

    Full inference sends every video to the last exit of the trial that is then most accurate on calibration.

    Attributes:
        full_trial: That trial.
        full_top1: Its test top-1, 0..1.
        full_cost: Its cost per video.
        point: The cheapest frontier point at least as accurate on calibration.
        difference: Bootstrap interval of the point's test top-1 minus the full network's (paired).
    """

    full_trial: int
    full_top1: float
    full_cost: float
    point: MergedPoint[Any]
    difference: Interval

    @property
    def share(self) -> float:
        """The part of full inference's cost that is saved, 0..1."""
        return 1 - self.point.test.cost / self.full_cost


class Merging(Generic[Key]):
    """The operating points that no plan beats on calibration, while plans are added one by one.

    An addition costs what the plan's own points and those of the frontier cost, however many plans there were.
    ``level`` and ``seed`` are of the test intervals.
    """

    def __init__(self) -> None:
        # Plans can reach the very same pair of cost and expected top-1; the one added first stands for it.
        self._best: dict[tuple[float, float], tuple[Key, OperatingPoint]] = {}
        self._measured: dict[tuple[float, float], MergedPoint[Key]] = {}

    def add(self, key: Key, curve: Iterable[OperatingPoint]) -> None:
        """Add a plan's points, measured on calibration; InputError for costs in another measure than before."""
        points = list(curve)
        one_measure([*points, *(point for _, point in itertools.islice(self._best.values(), 1))])
        for point in points:
            self._best.setdefault((point.cost, point.worth), (key, point))
        pairs = list(self._best)
        keep = pareto_mask(*zip(*pairs, strict=True))
        self._best = {pair: self._best[pair] for pair, kept in zip(pairs, keep, strict=True) if kept}

    @property
    def pairs(self) -> list[tuple[float, float]]:
        """Cost and expected top-1 of the points, rising in both."""
        return sorted(self._best)

    def points(self, test_of: Callable[[Key], ExitScores]) -> list[MergedPoint[Key]]:
        """Return the points, rising in cost and expected top-1; each is measured on test once, plan by plan."""
        missing: dict[Key, list[tuple[float, float]]] = {}
        for pair, (key, _) in self._best.items():
            if pair not in self._measured:
                missing.setdefault(key, []).append(pair)
        measured = {pair: point for pair, point in self._measured.items() if pair in self._best}
        for key, pairs in missing.items():
            chosen = [self._best[pair][1] for pair in pairs]
            scores = test_of(key)
            one_measure([scores, *chosen])
            tests = evaluate_policies([point.policy for point in chosen], scores)
            for pair, point, test in zip(pairs, chosen, tests, strict=True):
                interval = share_interval(test.top1, test.num_videos, test.spread)
                measured[pair] = MergedPoint(key, point, test, interval)
        self._measured = measured
        return [measured[pair] for pair in self.pairs]


def cheapest_without_loss(points: Sequence[MergedPoint[Key]], full: OperatingPoint) -> MergedPoint[Key]:
    """Return the cheapest point that loses nothing against ``full`` on calibration, nor half a point by expectation.

    The dearest where there is none.
    """

    def loses_nothing(point: MergedPoint[Key]) -> bool:
        found = point.calibration
        return found.top1 >= full.top1 and found.worth >= full.top1 - _UNSEEN_LOSS

    return next(filter(loses_nothing, points), points[-1])


def merge(
    scores_of: Mapping[Key, tuple[ExitScores, ExitScores]],
    *,
    solver: str = DEFAULT_SOLVER,
    confidence: str | None = None,
    **options: Any,
) -> list[MergedPoint[Key]]:
    """Return the operating points that no plan beats on calibration, rising in calibration cost and expected top-1.

    Args:
        scores_of: For each plan its calibration and its test scores.
        solver: How each plan's thresholds are chosen, on calibration scores alone.
        confidence: A measure's name, or ``auto`` for the best of each plan by cross-validation.
        options: Passed to the solver.

    Raises:
        InputError: There are no plans.
        ScoresError: Some scores are unlabelled, or of other videos than the first.
    """
    if not scores_of:
        raise InputError("no exit scores to merge")
    merging: Merging[Key] = Merging()
    first = next(iter(scores_of))
    for key, (calibration, test) in scores_of.items():
        if not all(map(of_same_videos, (calibration, test), scores_of[first])):
            raise ScoresError(
                f"{key} is measured on other videos than {first}",
                hint="Points of one frontier are measured on the same videos: score the plans anew",
            )
        measure = named_confidence(calibration, confidence)
        merging.add(key, solve_thresholds(calibration, solver, confidence=measure, **options))
    return merging.points(lambda key: scores_of[key][1])
