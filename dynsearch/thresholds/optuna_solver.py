"""The ``optuna`` solver: thresholds by a generic optimiser, for comparison and for objectives of one's own.

Each parameter is the share of confidences, at one exit, that the threshold lies above; so the same search
space fits every table. Expect it to be slower and worse than ``frontier`` on accuracy and cost.

Shapes: E exits, N videos.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import InputError
from dynsearch.scores import DEFAULT_MEASURE, ExitScores
from dynsearch.thresholds.between import between
from dynsearch.thresholds.operating_point import OperatingPoint, evaluate_policy
from dynsearch.thresholds.policy import ExitPolicy

if TYPE_CHECKING:
    import optuna

Objective = Callable[[OperatingPoint], float]


def optuna_search(
    scores: ExitScores,
    *,
    confidence: str = DEFAULT_MEASURE,
    num_trials: int = 1000,
    sampler: Literal["tpe", "nsga2"] = "nsga2",
    seed: int = 0,
    objective: Objective | None = None,
) -> list[OperatingPoint]:
    """Return all operating points that an Optuna study tried.

    Args:
        scores: Labelled calibration scores.
        confidence: The confidence measure.
        num_trials: How many policies are tried.
        sampler: ``tpe`` or ``nsga2``.
        seed: Of the sampler.
        objective: What to maximise; by default accuracy up and cost down, as two objectives.

    Raises:
        InputError: An unknown sampler, or no trials.
    """
    if num_trials < 1:
        raise InputError(f"num_trials must be at least 1, got {num_trials}")
    sorted_E = [np.sort(c[c > -math.inf]) for c in scores.confidence(confidence)[:-1]]
    points: dict[ExitPolicy, OperatingPoint] = {}

    def evaluate(trial: optuna.Trial) -> float | tuple[float, float]:
        quantiles = [trial.suggest_float(f"quantile_{k}", 0.0, 1.0) for k in range(len(sorted_E))]
        thresholds = [_threshold(values, q) for values, q in zip(sorted_E, quantiles, strict=True)]
        policy = ExitPolicy((*thresholds, -math.inf), confidence, scores.plan_id)
        if policy not in points:
            points[policy] = evaluate_policy(policy, scores)
        point = points[policy]
        return objective(point) if objective is not None else (point.top1, point.cost)

    with _quiet():
        _new_study(sampler, seed, single=objective is not None).optimize(evaluate, n_trials=num_trials)
    return list(points.values())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _threshold(rising: NDArray[np.float64], quantile: float) -> float:
    below = round(quantile * len(rising))
    if below == len(rising):
        return math.inf
    if below == 0:
        return -math.inf
    lower, upper = float(rising[below - 1]), float(rising[below])
    return between(lower, upper) if lower < upper else upper


def _new_study(sampler: str, seed: int, *, single: bool) -> optuna.Study:
    import optuna

    if sampler == "tpe":
        chosen: optuna.samplers.BaseSampler = optuna.samplers.TPESampler(seed=seed, multivariate=True)
    elif sampler == "nsga2":
        chosen = optuna.samplers.NSGAIISampler(seed=seed)
    else:
        raise InputError(f"no sampler {sampler!r}", hint="Known samplers: tpe, nsga2")
    return optuna.create_study(
        directions=["maximize"] if single else ["maximize", "minimize"], sampler=chosen
    )
