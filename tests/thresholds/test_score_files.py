"""The figure of merit on real score files, where they are: fit on calibration, judge on test."""

import os
from pathlib import Path

import numpy as np
import pytest

from dynsearch.frontier import solve_thresholds
from dynsearch.scores import ExitScores

FOLDER = (
    Path(os.environ.get("DYNSEARCH_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data")) / "scores"
)
BUDGET_SHARES = np.linspace(0.02, 0.90, 12)


def both_splits(name):
    paths = [FOLDER / f"{name}-{split}.npz" for split in ("calibration", "test")]
    if not all(path.is_file() for path in paths):
        pytest.skip(f"no score files {name} in {FOLDER}; set DYNSEARCH_SHARED_DATA")
    return [ExitScores.load(path) for path in paths]


def figure_of_merit(fit, new, solver, **options):
    """Mean test top-1 (%) of the best point whose test cost is within each of 12 budgets."""
    points = solve_thresholds(fit, solver, **options).evaluate(new)
    first, last = new.cost_E[[0, -1]]
    budgets = first + BUDGET_SHARES * (last - first)
    return 100 * np.mean([max(p.top1 for p in points if p.cost <= budget) for budget in budgets])


def test_sim_k400_hard_reaches_the_prototype():
    fit, new = both_splits("sim_k400_hard")
    assert figure_of_merit(fit, new, "frontier") >= 67.16
    grid = np.linspace(0.05, 1.95, 200).tolist()
    assert figure_of_merit(fit, new, "geometric", qs=grid) < 66.9


def test_digits_are_no_worse_than_target_accuracy():
    merits = []
    for seed in range(5):
        fit, new = both_splits(f"digits_noise060_seed{seed}")
        merits.append([figure_of_merit(fit, new, solver) for solver in ("frontier", "target-accuracy")])
    ours, theirs = np.mean(merits, axis=0)
    assert ours >= theirs
