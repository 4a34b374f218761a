"""Studies over several network families: turns for all, and a frontier of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import optuna

from dynsearch.search.results import StudyResults


def take_turns(study: optuna.Study, families: Sequence[str], num_trials: int) -> None:
    """Line up trials so that the families take turns and each has its share; a single family needs none.

    What else a trial proposes is the sampler's. Called again it lines up what is missing of ``num_trials``.
    """
    if len(families) > 1:
        for number in range(len(study.get_trials(deepcopy=False)), num_trials):
            study.enqueue_trial({"family": families[number % len(families)]})


def best_rows(parts: Mapping[str, StudyResults], max_gflops: float) -> list[dict[str, Any]]:
    """Return, as rows of ``frontier.csv``, the best point of each family under ``max_gflops``, if it has any."""
    rows = []
    for part in parts.values():
        inside = [i for i, point in enumerate(part.points) if point.calibration.gflops <= max_gflops]
        rows += [part.rows()[i] for i in inside[-1:]]
    return rows
