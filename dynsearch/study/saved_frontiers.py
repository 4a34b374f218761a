"""What lies in a trial's folder: its exit scores, and their threshold frontier on calibration, solved once.

Shapes: P points, E exits.
"""

import contextlib
import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import DynsearchError, ScoresError
from dynsearch.frontier import Frontier, Limit, solve_thresholds
from dynsearch.frontier.choose_confidence import named_confidence
from dynsearch.measures import CostMeasure
from dynsearch.plan import Plan
from dynsearch.scores import ExitScores
from dynsearch.scores.storage import read_arrays, write_arrays
from dynsearch.study.folder import StudyFolder
from dynsearch.study.recipe import StudyRecipe
from dynsearch.thresholds import ExitPolicy, evaluate_policies
from dynsearch.training.made import SCORES

FILE = "frontier-calibration.npz"
_KEPT = 4  # files of scores in memory; those of large data sets take hundreds of MB each
_VERSION = 2  # of what the solvers find; a new one lets all be solved again


def solved_once(
    folder: Path,
    scores: ExitScores,
    solver: str,
    confidence: str | None = None,
    options: Mapping[str, Any] = MappingProxyType({}),
    limits: Sequence[Limit] = (),
    kind: str = "",
) -> Frontier:
    """Return the frontier that ``solver`` finds on a trial's calibration scores, solved once.

    Those that a study does not keep to itself, for other costs or limits, are of another ``kind``, and file.

    Only thresholds are kept, in its folder, and what to expect of them; points are measured anew. A file that is
    damaged, or made of other scores or by another solver, counts as none.

    Raises:
        InputError: There is no such solver.
        ScoresError: The scores are unlabelled.
    """
    asked = f"{solver} {confidence} {sorted(options.items())}"
    asked += "".join(f" {limit.measure.name} {limit.cost_E} {limit.bound}" for limit in limits)
    path = folder / FILE.replace(".npz", f"{kind}.npz")
    with contextlib.suppress(DynsearchError):
        return _read(path, scores, asked)
    confidence = named_confidence(scores, confidence)
    frontier = solve_thresholds(scores, solver, confidence=confidence, limits=limits, **options)
    with contextlib.suppress(
        DynsearchError
    ):  # A full disk, or somebody else's study: solved again next time.
        _write(path, frontier, scores, asked)
    return frontier


class SavedScores(Mapping[int, tuple[ExitScores, ExitScores]]):
    """By trial number, exit scores on calibration and test; the last few are kept in memory, ``plans`` may grow.

    With a measure their costs are what it says of the plans.
    """

    def __init__(
        self, folder: StudyFolder, plans: Mapping[int, Plan], measure: CostMeasure | None = None
    ) -> None:
        self._folder, self.plans, self._measure = folder, plans, measure
        self._read = functools.lru_cache(maxsize=_KEPT)(ExitScores.load)

    def of(self, number: int, split: str) -> ExitScores:
        """Return a trial's scores on one split; ScoresError where they can't be read."""
        scores = self._read(self._folder.trial(number) / SCORES[split])
        return scores if self._measure is None else costed(scores, self.plans[number], self._measure)

    def __getitem__(self, number: int) -> tuple[ExitScores, ExitScores]:
        return self.of(number, "calibration"), self.of(number, "test")

    def __contains__(self, number: object) -> bool:
        return number in self.plans

    def __iter__(self) -> Iterator[int]:
        return iter(self.plans)

    def __len__(self) -> int:
        return len(self.plans)


class SavedFrontiers(Mapping[int, Frontier]):
    """By trial number, the threshold frontier on calibration, read when it is wanted; see :func:`solved_once`."""

    def __init__(
        self,
        folder: StudyFolder,
        scores: SavedScores,
        solver: str,
        confidence: str | None,
        options: Mapping[str, Any],
        under: StudyRecipe,
    ) -> None:
        self._folder, self._scores = folder, scores
        self._how, self._under = (solver, confidence, options), under

    def __getitem__(self, number: int) -> Frontier:
        calibration = self._scores.of(number, "calibration")
        limits = self._under.limits_on(self._scores.plans[number], num_classes(calibration))
        kind = self._under.kind_of_results
        return solved_once(self._folder.trial(number), calibration, *self._how, limits, kind)

    def __iter__(self) -> Iterator[int]:
        return iter(self._scores)

    def __len__(self) -> int:
        return len(self._scores)


def num_classes(scores: ExitScores) -> int:
    """Return K; of scores without logits, whose heads are not known, 2."""
    return 2 if scores.logits_ENK is None else scores.logits_ENK.shape[2]


def costed(scores: ExitScores, plan: Plan, measure: CostMeasure) -> ExitScores:
    """Return the scores of a plan's network with what a measure says that its exits cost."""
    return replace(scores, cost_E=np.array(measure.cost_E(plan, num_classes(scores))), measure=measure)


def _read(path: Path, scores: ExitScores, asked: str) -> Frontier:
    arrays = read_arrays(path, ("thresholds", "expected", "measure", "digest"))
    if len(arrays) < 4:
        raise ScoresError("lacks an array", where=str(path))
    thresholds_PE, measure = np.atleast_2d(arrays["thresholds"]), str(arrays["measure"])
    expected_P = arrays["expected"]
    if str(arrays["digest"]) != _digest(thresholds_PE, expected_P, measure, scores, asked):
        raise ScoresError("is of other scores, or of another solver or confidence measure", where=str(path))
    policies = [ExitPolicy(tuple(row), measure, scores.plan_id) for row in thresholds_PE.tolist()]
    points = evaluate_policies(policies, scores)
    return Frontier(
        point if np.isnan(expected) else replace(point, expected=float(expected))
        for point, expected in zip(points, expected_P, strict=True)
    )


def _write(path: Path, frontier: Frontier, scores: ExitScores, asked: str) -> None:
    thresholds_PE = np.array([point.thresholds for point in frontier])
    measure = frontier[0].policy.confidence
    expected_P = np.array([point.expected for point in frontier], dtype=np.float64)
    digest = _digest(thresholds_PE, expected_P, measure, scores, asked)
    arrays = {"thresholds": thresholds_PE, "expected": expected_P}
    arrays |= {"measure": np.array(measure), "digest": np.array(digest)}
    write_arrays(path, arrays, compressed=True)


def _digest(
    thresholds_PE: NDArray[np.float64],
    expected_P: NDArray[np.float64],
    measure: str,
    scores: ExitScores,
    asked: str,
) -> str:
    """Return a digest of all that the thresholds depend on, and of themselves."""
    digest = hashlib.sha256(f"{_VERSION} {asked} {measure} {scores.plan_id}".encode())
    for array in (thresholds_PE, expected_P, scores.cost_E, scores.confidence(measure), scores.correct()):
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
