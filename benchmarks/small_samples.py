"""What thresholds fitted on a few hundred videos are worth on new ones.

    OMP_NUM_THREADS=1 python benchmarks/small_samples.py [--draws 20] [--output benchmarks/results/small_samples.json]

From a pool of calibration videos n are drawn, thresholds are fitted on them and judged on a test table: mean top-1 at
equal test cost over 12 budgets, and the top-1 lost against the full network where the budget allows it. Simulated
tables of 2 to 16 exits, with one label a video and with several, and the score files in DYNSEARCH_SHARED_DATA/scores or
../shared/data/scores where they are there. Printed beside it: the frontier that fits the videos as they are. At every
n `frontier` is promised to be no worse than the others in the mean over tables, and to lose at most what LOSSES says.
Each table and n is written when it is done, and not done again; `--tables` and `--videos` take some of them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))

from thresholds import SOLVER_OPTIONS, check, simulated, top1_at_budgets

from dynsearch.frontier import solve_thresholds
from dynsearch.scores import ExitScores

LOSSES = {100: 1.0, 200: 0.4, 500: 0.2, 1000: 0.1}
RIVALS: dict[str, tuple[str, dict[str, Any]]] = {
    "as they are": ("frontier", {"smoothing": 0}),
    "geometric": ("geometric", SOLVER_OPTIONS["geometric"]),
    "target-accuracy": ("target-accuracy", {}),
}
OURS = "frontier"
_VIDEOS, _JUDGED = 12_000, 6_000


def evidence(
    num_exits: int, seed: int, *, several: bool = False, hurts: bool = False, num_videos: int = _VIDEOS
) -> ExitScores:
    """Return scores of an imagined network whose exits gather evidence for a class, each calibrated in its own way.

    With ``several`` labels a second class is right too; where the last exit ``hurts``, the one before it is better.
    """
    rng, num_classes = np.random.default_rng(seed), 30
    every = np.arange(num_videos)
    first = rng.integers(0, num_classes, num_videos)
    second = (7 * first + 3) % num_classes
    hard = np.exp(0.6 * rng.normal(size=num_videos))
    bias, noise = rng.normal(size=(2, num_videos, num_classes))
    strength = np.linspace(0.8, 2.6, num_exits)
    if hurts:
        strength[-1] = 0.97 * strength[-2]
    rows: list[tuple[NDArray[Any], NDArray[Any]]] = []
    for power in strength:
        noise = 0.85 * noise + np.sqrt(1 - 0.85**2) * rng.normal(size=noise.shape)
        logits = 0.6 * bias + 0.8 * noise
        logits[every, first] += 1.2 * power / np.sqrt(hard) + 0.3
        if several:
            logits[every, second] += 0.7 * power / hard
        logits *= 1.5 * np.exp(0.35 * rng.normal())
        choice, top = logits.argmax(axis=1), logits.max(axis=1)
        sure = 1 / (1 + np.exp(5 - top)) if several else 1 / np.exp(logits - top[:, None]).sum(axis=1)
        rows.append((sure, (choice == first) | (several & (choice == second))))
    confidence, correct = (np.stack(column) for column in zip(*rows, strict=True))
    cost_E = np.cumsum(np.append(1.0, rng.uniform(0.3, 1.5, num_exits - 1)))
    return ExitScores(cost_E=cost_E, confidence_EN=confidence, correct_EN=correct)


def tables() -> Iterator[tuple[str, ExitScores, ExitScores]]:
    """Yield names, pools to draw calibration videos from, and test tables."""
    made = {f"{count} exits": evidence(count, count) for count in (2, 6, 12, 16)}
    made |= {
        "6 exits, several labels": evidence(6, 8, several=True),
        "last exit hurts": evidence(6, 7, hurts=True),
    }
    made |= {f"{count} exits, by margin": simulated(_VIDEOS, count, count) for count in (2, 6, 12)}
    for name, scores in made.items():
        yield name, scores.select(np.arange(_JUDGED, _VIDEOS)), scores.select(np.arange(_JUDGED))
    root = Path(os.environ.get("DYNSEARCH_SHARED_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))
    for path in sorted((root / "scores").glob("*-calibration.npz")):
        test = path.with_name(path.name.replace("-calibration", "-test"))
        yield (
            path.name.removesuffix("-calibration.npz"),
            *(ExitScores.load(p).reduced() for p in (path, test)),
        )


def judged(fit: ExitScores, new: ExitScores, solver: str, options: dict[str, Any]) -> tuple[float, float]:
    """Return, in points, mean top-1 on new videos at equal cost, and what is lost where all may be spent."""
    curve = solve_thresholds(fit, solver, **options)
    spent = curve.best_under(float(new.cost_E[-1])).evaluate(new).top1
    return 100 * float(top1_at_budgets(curve, new).mean()), 100 * float(new.correct()[-1].mean() - spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--output", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--tables", default="", help="only tables with this in their name")
    parser.add_argument("--videos", type=int, nargs="+", default=list(LOSSES), help="only so many videos")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    solvers = {OURS: ("frontier", {}), **RIVALS}
    found: dict[int, dict[str, dict[str, list[float]]]] = {n: {} for n in LOSSES}
    if arguments.output is not None and arguments.output.is_file():
        before = json.loads(arguments.output.read_text())
        if before["draws"] == arguments.draws:
            found |= {int(n): by_table for n, by_table in before["points"].items()}
    for name, pool, test in tables():
        for n in arguments.videos:
            if arguments.tables not in name or n > 0.7 * pool.num_videos or name in found[n]:
                continue
            draws = [
                pool.select(np.random.default_rng(seed).permutation(pool.num_videos)[:n])
                for seed in range(arguments.draws)
            ]
            found[n][name] = {
                solver: np.mean([judged(fit, test, *how) for fit in draws], axis=0).tolist()
                for solver, how in solvers.items()
            }
            told = ", ".join(
                f"{solver} {top1:.2f} / {loss:.2f}" for solver, (top1, loss) in found[n][name].items()
            )
            print(f"{name}, n = {n}: {told}", flush=True)
            if arguments.output is not None:
                values = {"draws": arguments.draws, "points": found}
                arguments.output.write_text(json.dumps(values, indent=1) + "\n")
    kept = []
    print("\ntop-1 at equal cost / loss at full budget, points, mean over tables")
    for n, by_table in found.items():
        if not by_table:
            continue
        mean = {
            solver: np.mean([values[solver] for values in by_table.values()], axis=0) for solver in solvers
        }
        print(
            f"n = {n}: "
            + ", ".join(f"{solver} {top1:.2f} / {loss:.2f}" for solver, (top1, loss) in mean.items())
        )
        best = max(mean[solver][0] for solver in RIVALS)
        kept.append(check(f"n = {n}: points above the best other", mean[OURS][0] - best, 0, at_least=True))
        lost = np.mean([max(values[OURS][1], 0.0) for values in by_table.values()])
        kept.append(check(f"n = {n}: points lost at the full budget", float(lost), LOSSES[n]))
    raise SystemExit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
