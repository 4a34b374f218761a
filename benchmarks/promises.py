"""How often promises of the ``risk`` solver and of safe budgets break, over many calibration sets.

    OMP_NUM_THREADS=1 python benchmarks/promises.py [--draws 1000] [--sizes 200 1000] [--exits 2 4 16] [--output FILE]

Calibration sets are drawn, with replacement, from a large simulated pool, which stands for all videos there
are. A promise made with delta = 0.1 may break in at most a tenth of the draws. Beside it what it is to be no dearer
than: one threshold for all exits, tested on all videos by betting (Waudby-Smith and Ramdas, 2024), and policies chosen
on one half of the videos and tested so on the other. Each size and number of exits is written when it is drawn, and is
not drawn again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))

from thresholds import simulated  # the benchmark beside this one

from dynsearch.frontier import safe_best_under, solve_thresholds
from dynsearch.scores import ExitScores
from dynsearch.thresholds import SOLVERS, ExitPolicy, OperatingPoint, evaluate_policy, risk

DELTA = 0.1
SIZES = [(200, 0.05), (500, 0.02), (1000, 0.02), (2000, 0.01), (10_000, 0.01), (20_000, 0.01)]
"""Videos in a calibration set, and the drop promised: 200 videos can promise nothing about one point."""
EXITS = (4, 2, 16)

Point = tuple[float, float]
"""Drop of top-1 below the full network, and cost, both on the pool."""


def betting_p_value(values_N: NDArray[Any], max_mean: float, delta: float) -> float:
    """Return a p-value for the claim that the mean of values in 0..1 is above ``max_mean``, by bets on each video."""
    count_N = np.arange(1, len(values_N) + 1)
    mean_N = (0.5 + np.cumsum(values_N)) / (count_N + 1)
    variance_N = (0.25 + np.cumsum((values_N - mean_N) ** 2)) / (count_N + 1)
    variance_before_N = np.concatenate(([0.25], variance_N[:-1]))
    bet_N = np.sqrt(2 * math.log(1 / delta) / (len(values_N) * variance_before_N))
    bet_N = np.minimum(bet_N, 0.75 / (1 - max_mean))
    log_capital_N = np.cumsum(np.log1p(bet_N * (max_mean - values_N)))
    return math.exp(-max(0.0, float(log_capital_N.max())))


def _boldest(path: list[OperatingPoint], scores: ExitScores, max_drop: float, delta: float) -> OperatingPoint:
    """Return the last point that betting shows to drop by no more, of those from the dearest on."""
    correct_EN, confidence_EN = scores.correct(), scores.confidence()
    harm_EN = correct_EN[-1].astype(np.int8) - correct_EN

    def passes(point: OperatingPoint) -> bool:
        harm_N = harm_EN[point.policy.first_exit(confidence_EN), np.arange(scores.num_videos)]
        return betting_p_value((1 + harm_N) / 2, (1 + max_drop) / 2, delta) <= delta

    never = evaluate_policy(ExitPolicy.never_early(scores.num_exits, plan_id=scores.plan_id), scores)
    path = sorted(path, key=lambda point: -point.cost)
    return [never, *itertools.takewhile(passes, path)][-1]


def one_threshold(scores: ExitScores, max_drop: float, delta: float) -> OperatingPoint:
    """Return the cheapest shared threshold that betting on all videos shows to drop by no more."""
    return _boldest(SOLVERS["shared"](scores), scores, max_drop, delta)


def halving(scores: ExitScores, max_drop: float, delta: float) -> OperatingPoint:
    """Return the cheapest point of a frontier of half of the videos that betting on the others shows to do so."""
    learn_N = np.random.default_rng(0).permutation(scores.num_videos) < scores.num_videos // 2
    return _boldest(list(solve_thresholds(scores.select(learn_N))), scores.select(~learn_N), max_drop, delta)


def points_of(scores: ExitScores, pool: ExitScores, max_drop: float, budget: float) -> dict[str, Point]:
    """Return what each way to choose a point from ``scores`` gives on the pool."""
    curve = solve_thresholds(scores)
    chosen = {
        f"risk: top-1 drop at most {max_drop:g}": risk(scores, max_drop=max_drop, delta=DELTA)[-1],
        "risk: mean cost within the budget": risk(scores, budget=budget, delta=DELTA)[-1],
        "frontier, safe budget": safe_best_under(curve, scores, budget, delta=DELTA),
        "frontier, plain budget": curve.best_under(budget),
        f"rival, one threshold: drop at most {max_drop:g}": one_threshold(scores, max_drop, DELTA),
        f"rival, halving: drop at most {max_drop:g}": halving(scores, max_drop, DELTA),
    }
    full_top1 = float(pool.correct()[-1].mean())
    measured = {name: point.evaluate(pool) for name, point in chosen.items()}
    return {name: (full_top1 - point.top1, point.cost) for name, point in measured.items()}


def summary(
    draws: list[dict[str, Point]], num_videos: int, num_exits: int, max_drop: float, budget: float
) -> list[Any]:
    rows = []
    for name in draws[0]:
        drop, cost = np.array([draw[name] for draw in draws]).T
        broken = drop > max_drop if "drop" in name else cost > budget
        rows.append(
            {
                "promise": name,
                "num_videos": num_videos,
                "num_exits": num_exits,
                "draws": len(draws),
                "broken": float(broken.mean()),
                "mean_gflops": round(float(cost.mean()), 2),
                "mean_drop": round(float(drop.mean()), 4),
            }
        )
        print(
            f"  {num_exits:2} exits, n = {num_videos:6,}  {name:40s} broken in {100 * broken.mean():5.2f}% of"
            f" {len(draws)} draws, mean cost {cost.mean():.2f}, mean drop {100 * drop.mean():.2f} points",
            flush=True,
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--sizes", type=int, nargs="+", help="only sets of these sizes")
    parser.add_argument("--exits", type=int, nargs="+", default=EXITS, help="only networks of so many exits")
    parser.add_argument("--output", type=Path, help="put the figures into this JSON file, and begin with it")
    arguments = parser.parse_args()
    output, rows = arguments.output, []
    if output is not None and output.is_file():
        rows = [row for row in json.loads(output.read_text())["results"] if row["draws"] == arguments.draws]
    done = {(row["num_exits"], row["num_videos"]) for row in rows}
    for (num_videos, max_drop), num_exits in itertools.product(SIZES, arguments.exits):
        if (num_exits, num_videos) in done or num_videos not in (arguments.sizes or [num_videos]):
            continue
        pool = simulated(100_000 if num_exits < 10 else 40_000, num_exits, seed=0)
        budget = float(0.75 * pool.cost_E[0] + 0.25 * pool.cost_E[-1])
        rng = np.random.default_rng(num_videos)
        draws = [
            points_of(pool.select(rng.integers(pool.num_videos, size=num_videos)), pool, max_drop, budget)
            for _ in range(arguments.draws)
        ]
        rows += summary(draws, num_videos, num_exits, max_drop, budget)
        rows.sort(key=lambda row: (row["num_exits"], row["num_videos"]))
        if output is not None:
            output.write_text(json.dumps({"delta": DELTA, "results": rows}, indent=1) + "\n")
    print(f"CPU {time.process_time():.0f} s")


if __name__ == "__main__":
    main()
