"""How often promises of the ``risk`` solver and of safe budgets break, over many calibration sets.

    OMP_NUM_THREADS=1 python benchmarks/promises.py [--draws 1000] [--sizes 200 1000 2000 10000 20000] [--output FILE]

Calibration sets are drawn, with replacement, from a large simulated pool, which stands for all videos there
are. A promise made with delta = 0.1 may break in at most a tenth of the draws.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from thresholds import simulated  # the benchmark beside this one

from dynsearch.frontier import safe_best_under, solve_thresholds
from dynsearch.scores import ExitScores
from dynsearch.thresholds import risk

DELTA = 0.1
SIZES = [(200, 0.05), (1000, 0.02), (2000, 0.01), (10_000, 0.01), (20_000, 0.01)]
"""Videos in a calibration set, and the drop promised: 200 videos can promise nothing about one point."""

Point = tuple[float, float]
"""Drop of top-1 below the full network, and cost, both on the pool."""


def points_of(scores: ExitScores, pool: ExitScores, max_drop: float, budget: float) -> dict[str, Point]:
    """Return what each way to choose a point from ``scores`` gives on the pool."""
    curve = solve_thresholds(scores)
    chosen = {
        f"risk: top-1 drop at most {max_drop:g}": risk(scores, max_drop=max_drop, delta=DELTA)[-1],
        "risk: mean cost within the budget": risk(scores, budget=budget, delta=DELTA)[-1],
        "frontier, safe budget": safe_best_under(curve, scores, budget, delta=DELTA),
        "frontier, plain budget": curve.best_under(budget),
    }
    full_top1 = float(pool.correct()[-1].mean())
    measured = {name: point.evaluate(pool) for name, point in chosen.items()}
    return {name: (full_top1 - point.top1, point.cost) for name, point in measured.items()}


def summary(draws: list[dict[str, Point]], num_videos: int, max_drop: float, budget: float) -> list[Any]:
    rows = []
    for name in draws[0]:
        drop, cost = np.array([draw[name] for draw in draws]).T
        broken = drop > max_drop if "drop" in name else cost > budget
        rows.append(
            {
                "promise": name,
                "num_videos": num_videos,
                "draws": len(draws),
                "broken": float(broken.mean()),
                "mean_gflops": round(float(cost.mean()), 2),
                "mean_drop": round(float(drop.mean()), 4),
            }
        )
        print(
            f"  n = {num_videos:6,}  {name:34s} broken in {100 * broken.mean():5.2f}% of {len(draws)} draws,"
            f" mean cost {cost.mean():.2f}, mean drop {100 * drop.mean():.2f} points",
            flush=True,
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument(
        "--sizes", type=int, nargs="+", help="only sets of these sizes; each is drawn on its own"
    )
    parser.add_argument("--output", type=Path, help="put the figures into this JSON file")
    arguments = parser.parse_args()
    pool = simulated(100_000, 4, seed=0)
    budget = float(0.75 * pool.cost_E[0] + 0.25 * pool.cost_E[-1])
    print(f"delta = {DELTA}; the full network costs {pool.cost_E[-1]:.0f}, the budget is {budget:.2f}")
    rows = []
    for num_videos, max_drop in SIZES:
        if arguments.sizes and num_videos not in arguments.sizes:
            continue
        rng = np.random.default_rng(num_videos)
        draws = [
            points_of(pool.select(rng.integers(pool.num_videos, size=num_videos)), pool, max_drop, budget)
            for _ in range(arguments.draws)
        ]
        rows += summary(draws, num_videos, max_drop, budget)
    print(f"CPU {time.process_time():.0f} s")
    if arguments.output is not None:
        if arguments.output.is_file():  # Sizes may be drawn one at a time.
            drawn = {row["num_videos"] for row in rows}
            before = json.loads(arguments.output.read_text())["results"]
            rows = sorted(
                [row for row in before if row["num_videos"] not in drawn] + rows,
                key=lambda row: row["num_videos"],
            )
        values = {"delta": DELTA, "budget": budget, "results": rows}
        arguments.output.write_text(json.dumps(values, indent=1) + "\n")


if __name__ == "__main__":
    main()
