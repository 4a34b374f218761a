"""What the threshold solvers cost and what they are worth, on one core.

    OMP_NUM_THREADS=1 python benchmarks/thresholds.py [--quick] [--output benchmarks/results/thresholds.json]

Every solver runs in a process of its own on the same simulated calibration table and is judged on a
second one: CPU seconds, peak memory, and mean top-1 on new videos over 12 budgets. Ratios are to the
geometric schedule with 200 values of q and to Optuna's TPE with 1,000 evaluations. Score files in
DYNSEARCH_SHARED_DATA/scores, or ../shared/data/scores, are judged as well when they are there. Each promised
figure is printed with its limit; the exit code is 1 when one is broken.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.frontier import Frontier, solve_thresholds
from dynsearch.scores import ExitScores

SOLVER_OPTIONS: dict[str, dict[str, Any]] = {
    "frontier": {},
    "geometric": {"qs": np.linspace(0.05, 1.95, 200).tolist()},
    "target-accuracy": {},
    "shared": {},
    "optuna": {"num_trials": 1000, "sampler": "tpe"},
}
BUDGET_SHARES = np.linspace(0.02, 0.9, 12)


def simulated(num_videos: int, num_exits: int, seed: int) -> ExitScores:
    """Return scores of an imagined network: harder videos need later exits, confidence is informative."""
    rng = np.random.default_rng(seed)
    easiness_N = 1.3 * rng.normal(size=num_videos) + 0.5 * rng.normal(size=num_videos)
    skill_E1 = np.linspace(0.1, 0.95, num_exits)[:, None] ** 0.7
    noise_E1 = np.linspace(1.0, 0.5, num_exits)[:, None]
    margin_EN = skill_E1 + easiness_N + noise_E1 * rng.normal(size=(num_exits, num_videos))
    seen_EN = margin_EN + 0.6 * rng.normal(size=margin_EN.shape)
    return ExitScores(
        cost_E=np.linspace(2.0, np.sqrt(52.0), num_exits) ** 2,
        confidence_EN=(1 / (1 + np.exp(-1.5 * seen_EN))).astype(np.float32),
        correct_EN=margin_EN > 0,
    )


def top1_at_budgets(curve: Frontier, scores: ExitScores) -> NDArray[np.float64]:
    """Return the best top-1 of the curve's points on ``scores`` whose cost there is within each budget."""
    points = curve.evaluate(scores)
    cost, top1 = np.array([p.cost for p in points]), np.array([p.top1 for p in points])
    first, last = scores.cost_E[0], scores.cost_E[-1]
    budgets = first + BUDGET_SHARES * (last - first)
    return np.array([top1[cost <= budget].max(initial=0.0) for budget in budgets])


def measure_here(solver: str, num_videos: int, num_exits: int) -> dict[str, Any]:
    warnings.simplefilter("ignore")
    scores, new = (simulated(num_videos, num_exits, seed) for seed in (0, 1))
    start = time.process_time()
    curve = solve_thresholds(scores, solver, **SOLVER_OPTIONS[solver])
    seconds = time.process_time() - start
    return {
        "cpu_s": seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "top1": top1_at_budgets(curve, new).tolist(),
    }


def measure(solver: str, num_videos: int, num_exits: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", solver, str(num_videos), str(num_exits)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    values: dict[str, Any] = json.loads(output.splitlines()[-1])
    return values


def compare_solvers(num_videos: int, num_exits: int, solvers: list[str]) -> dict[str, Any]:
    print(f"\nn = {num_videos:,}, K = {num_exits}: mean top-1 on new videos over 12 budgets")
    results = {solver: measure(solver, num_videos, num_exits) for solver in solvers}
    ours = results["frontier"]
    for solver, result in results.items():
        gain = 100 * (np.array(ours["top1"]) - result["top1"])
        print(
            f"  {solver:16s} {100 * np.mean(result['top1']):6.2f}  CPU {result['cpu_s']:7.2f} s"
            f"  peak {result['peak_mb']:6.0f} MB  | frontier: {gain.mean():+.2f} points"
            f" ({gain.min():+.2f} at its worst budget), CPU x {ours['cpu_s'] / result['cpu_s']:.3f}",
            flush=True,
        )
    return results


def check(name: str, value: float, limit: float, *, at_least: bool = False) -> bool:
    """Print whether a promised figure is kept; return it."""
    kept = value >= limit if at_least else value <= limit
    print(
        f"  {'kept  ' if kept else 'BROKEN'} {name}: {value:.2f}, promised {'>=' if at_least else '<='} {limit:g}"
    )
    return kept


def check_solvers(results: dict[str, Any], *, seconds: float, megabytes: float) -> bool:
    ours = results["frontier"]
    kept = [
        check("CPU seconds of the whole frontier", ours["cpu_s"], seconds),
        check("peak memory, MB", ours["peak_mb"], megabytes),
    ]
    if "optuna" in results:
        tpe = results["optuna"]
        ratio = tpe["cpu_s"] / ours["cpu_s"]
        kept.append(check("times faster than TPE, 1,000 evaluations", ratio, 10, at_least=True))
        gain = 100 * (np.array(ours["top1"]) - tpe["top1"]).min()
        kept.append(check("points above TPE where TPE comes closest", gain, 0, at_least=True))
    return all(kept)


def growth() -> dict[str, float]:
    print("\ngrowth of CPU time of the frontier solver (linear: a ratio like the sizes')")
    base = measure("frontier", 10_000, 6)["cpu_s"]
    ratios = {}
    for num_videos, num_exits in [(20_000, 6), (40_000, 6), (10_000, 11)]:
        seconds = measure("frontier", num_videos, num_exits)["cpu_s"]
        size = num_videos / 10_000 * (num_exits - 1) / 5
        print(f"  n = {num_videos:,}, K = {num_exits}: size x {size:.1f}, CPU x {seconds / base:.1f}")
        ratios[f"{num_videos}x{num_exits}"] = seconds / base
    return ratios


def judge_files() -> dict[str, dict[str, float]]:
    """Return, for each score file and solver, mean test top-1 (%) over 12 budgets."""
    print("\nscore files: mean top-1 on the test file over 12 budgets")
    root = Path(os.environ.get("DYNSEARCH_SHARED_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))
    merits: dict[str, dict[str, float]] = {}
    for path in sorted((root / "scores").glob("*-calibration.npz")):
        fit = ExitScores.load(path)
        new = ExitScores.load(path.with_name(path.name.replace("-calibration", "-test")))
        name = path.name.removesuffix("-calibration.npz")
        merits[name] = {
            solver: 100
            * float(top1_at_budgets(solve_thresholds(fit, solver, **SOLVER_OPTIONS[solver]), new).mean())
            for solver in ("frontier", "geometric", "target-accuracy")
        }
        print(f"  {name}: {', '.join(f'{solver} {merit:.2f}' for solver, merit in merits[name].items())}")
    if not merits:
        print("  none here")
    return merits


def check_files(merits: dict[str, dict[str, float]]) -> bool:
    kept = []
    if "sim_k400_hard" in merits:
        kept.append(check("sim_k400_hard", merits["sim_k400_hard"]["frontier"], 67.16, at_least=True))
    digits = [merit for name, merit in merits.items() if name.startswith("digits_")]
    if digits:
        ours, theirs = (
            np.mean([merit[solver] for merit in digits]) for solver in ("frontier", "target-accuracy")
        )
        kept.append(check("digits, mean above target-accuracy", ours - theirs, 0, at_least=True))
    return all(kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="leave out TPE and the large table")
    parser.add_argument("--output", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--one", nargs=3, metavar=("SOLVER", "N", "K"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        solver, num_videos, num_exits = arguments.one
        print(json.dumps(measure_here(solver, int(num_videos), int(num_exits))))
        return
    solvers = ["frontier", "geometric", "target-accuracy", "shared"] + ["optuna"] * (not arguments.quick)
    values: dict[str, Any] = {"n=20000,K=6": compare_solvers(20_000, 6, solvers)}
    kept = [check_solvers(values["n=20000,K=6"], seconds=1.0, megabytes=200)]
    values["growth"] = growth()
    if not arguments.quick:
        values["n=250000,K=12"] = compare_solvers(250_000, 12, ["frontier", "geometric", "optuna"])
        kept.append(check_solvers(values["n=250000,K=12"], seconds=15, megabytes=2000))
    values["score_files"] = judge_files()
    kept.append(check_files(values["score_files"]))
    if arguments.output is not None:
        arguments.output.write_text(json.dumps(values, indent=1) + "\n")
    raise SystemExit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
