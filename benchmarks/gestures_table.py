"""The gestures study beside single-exit TSN and TSM, as the table of docs/results.md.

    W="--data-root FOLDER --set training.weights=FILE" ONE="--trials 1 --max-gflops 1"
    dynsearch study --recipe gestures $W
    dynsearch study --recipe gestures --space benchmarks/gestures/tsn.yaml --name gestures-tsn $W $ONE
    dynsearch study --recipe gestures --space benchmarks/gestures/tsm.yaml --name gestures-tsm $W $ONE
    python benchmarks/gestures_table.py [--studies-root studies]

Same backbone, frames, schedule, seed and people. Thresholds are chosen on calibration, top-1 is on test, with 95%
bootstrap intervals; the difference is paired, to full inference of the study's most accurate plan.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from dynsearch.frontier import bootstrap_difference, top1_interval
from dynsearch.scores import ExitScores
from dynsearch.study.folder import StudyFolder
from dynsearch.study.record import open_record
from dynsearch.study.results import StudyResults, read_results
from dynsearch.thresholds import ExitPolicy

_BUDGETS = (0.5, 0.4, 0.3)
_BASELINES = {"gestures-tsm": "TSM, one exit", "gestures-tsn": "TSN, one exit"}


def read(name: str, root: Path) -> StudyResults:
    folder = StudyFolder.existing(name, root)
    return read_results(open_record(folder), folder, solver=folder.recipe().solver)


def right(policy: ExitPolicy, test: ExitScores) -> np.ndarray:
    exit_N = policy.first_exit(policy.confidence_of(test))
    return test.correct()[exit_N, range(test.num_videos)]


def row(name: str, policy: ExitPolicy, test: ExitScores, full_N: np.ndarray) -> str:
    """Return one line of the table."""
    right_N = right(policy, test)
    cost = test.cost_E[policy.first_exit(policy.confidence_of(test))].mean()
    low, high = top1_interval(float(right_N.mean()), len(right_N))
    less, more = bootstrap_difference(right_N, full_N)
    return (
        f"| {name} | {cost:.4f} | {100 * right_N.mean():.1f} | {100 * low:.1f} - {100 * high:.1f} "
        f"| {100 * less:+.1f} to {100 * more:+.1f} |"
    )


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies-root", type=Path, default=Path("studies"))
    arguments = parser.parse_args()
    results = read("gestures", arguments.studies_root)
    saving = results.saving
    test = results.scores[saving.full_trial][1]
    full_N = right(ExitPolicy.never_early(test.num_exits), test)
    print(f"{len(results.plans)} plans, {test.num_videos} test clips\n")
    print("| network | GFLOPs a video | test top-1 | 95% interval | against full inference, paired |")
    print("|---|---|---|---|---|")
    print(
        row(
            "the study's most accurate plan, full inference",
            ExitPolicy.never_early(test.num_exits),
            test,
            full_N,
        )
    )
    for share in _BUDGETS:
        point = results.best_under(share * saving.full_cost)
        name = f"the study, budget {100 * share:.0f}% of that"
        print(row(name, point.calibration.policy, results.scores[point.key][1], full_N))
    for name, shown in _BASELINES.items():
        try:
            baseline = read(name, arguments.studies_root)
        except ValueError as error:  # Not run, or not finished.
            print(f"\n{error}")
            continue
        ((_, scores),) = baseline.scores.values()
        print(row(shown, ExitPolicy.never_early(scores.num_exits), scores, full_N))


if __name__ == "__main__":
    main()
