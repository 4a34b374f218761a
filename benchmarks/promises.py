"""How often promises of the ``risk`` solver and of safe budgets break, over many calibration sets.

    OMP_NUM_THREADS=1 python benchmarks/promises.py [--draws 1000]

Calibration sets are drawn from a large simulated pool, which stands for all videos there are. A promise
made with delta = 0.1 may break in at most a tenth of the draws.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from thresholds import simulated  # the benchmark beside this one

from dynsearch.frontier import safe_best_under, solve_thresholds
from dynsearch.scores import ExitScores
from dynsearch.thresholds import risk

DELTA = 0.1


def drawn(pool: ExitScores, num_videos: int, rng: np.random.Generator) -> ExitScores:
    return pool.select(rng.choice(pool.num_videos, num_videos, replace=False))


def report(name: str, num_videos: int, broken: list[bool], costs: list[float]) -> None:
    print(
        f"  {name:34s} n = {num_videos:6,}: broken in {100 * np.mean(broken):5.2f}% of {len(broken)} draws,"
        f" mean cost {np.mean(costs):.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--draws", type=int, default=1000)
    num_draws = parser.parse_args().draws
    pool = simulated(100_000, 4, seed=0)
    full_top1 = float(pool.correct()[-1].mean())
    budget = float(0.75 * pool.gmacs_E[0] + 0.25 * pool.gmacs_E[-1])
    print(f"delta = {DELTA}; the full network costs {pool.gmacs_E[-1]:.0f}, budget {budget:.2f}")
    for num_videos, max_drop in [(200, 0.05), (2000, 0.01), (20_000, 0.01)]:
        rng = np.random.default_rng(num_videos)
        broken: dict[str, list[bool]] = {name: [] for name in ("drop", "cost", "safe", "plain")}
        costs: dict[str, list[float]] = {name: [] for name in broken}
        for _ in range(num_draws):
            scores = drawn(pool, num_videos, rng)
            point = risk(scores, max_drop=max_drop, delta=DELTA)[-1].evaluate(pool)
            broken["drop"].append(full_top1 - point.top1 > max_drop)
            costs["drop"].append(point.gflops)
            point = risk(scores, max_gflops=budget, delta=DELTA)[-1].evaluate(pool)
            broken["cost"].append(point.gflops > budget)
            costs["cost"].append(point.gflops)
            curve = solve_thresholds(scores)
            for name, chosen in [
                ("safe", safe_best_under(curve, scores, budget, delta=DELTA)),
                ("plain", curve.best_under(budget)),
            ]:
                cost = chosen.evaluate(pool).gflops
                broken[name].append(cost > budget)
                costs[name].append(cost)
        report(f"risk, top-1 drop <= {max_drop:g}", num_videos, broken["drop"], costs["drop"])
        report("risk, mean cost <= budget", num_videos, broken["cost"], costs["cost"])
        report("frontier, safe budget", num_videos, broken["safe"], costs["safe"])
        report("frontier, plain budget", num_videos, broken["plain"], costs["plain"])


if __name__ == "__main__":
    main()
