"""How often promises of the ``risk`` solver and of safe budgets break, over many calibration sets.

    OMP_NUM_THREADS=1 python benchmarks/promises.py --processes 2 --output benchmarks/results/promises.json

Calibration sets are drawn, with replacement, from a large imagined pool, which stands for all videos there are. A
promise made with delta = 0.1 may break in at most a tenth of the draws. Beside it what it is to be no dearer than: one
threshold for all exits, tested on all videos by betting (Waudby-Smith and Ramdas, 2024), and policies chosen on half of
the videos and tested so on the others; costs are compared draw by draw. ``--draws`` is how many draws the promises of
``risk`` have; each of the others takes the first ``--few`` of them. Each table and size is written when it is drawn,
and is not drawn again; ``--tables`` and ``--sizes`` take some of them.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import itertools
import json
import math
import multiprocessing
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))

from small_samples import evidence  # the benchmarks beside this one
from thresholds import check, simulated

from dynsearch.frontier import Frontier, safe_best_under, solve_thresholds
from dynsearch.scores import ExitScores
from dynsearch.thresholds import SOLVERS, ExitPolicy, OperatingPoint, evaluate_policy, risk

DELTA = 0.1
SIZES = {200: 0.05, 500: 0.03, 1000: 0.02, 3000: 0.01, 20_000: 0.01}
"""Videos in a calibration set, and the drop promised: 200 videos can promise nothing about one point."""
TABLES: dict[str, Callable[[int], ExitScores]] = {
    "2 exits": lambda n: evidence(2, 2, num_videos=n),
    "4 exits, by margin": lambda n: simulated(n, 4, 0),
    "6 exits": lambda n: evidence(6, 6, num_videos=n),
    "16 exits": lambda n: evidence(16, 16, num_videos=n),
}
LARGEST_SAFE = 1000
"""A safe budget takes six frontiers a draw, so it is drawn for up to so many videos."""
_POOL = 40_000

DROP, COST = "risk: top-1 drop", "risk: mean cost"
ONE, HALVING = "one threshold, betting: top-1 drop", "halving, betting: top-1 drop"
SAFE, PLAIN = "frontier, safe budget", "frontier, plain budget"

Found = dict[str, tuple[float, float]]
"""For each way to choose a point: drop of top-1 below the full network, and cost, both on the pool."""


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


def _boldest(path: Iterable[OperatingPoint], scores: ExitScores, max_drop: float) -> OperatingPoint:
    """Return the last point that betting shows to drop by no more, of those from the dearest on."""
    correct_EN, confidence_EN = scores.correct(), scores.confidence()
    harm_EN = correct_EN[-1].astype(np.int8) - correct_EN

    def passes(point: OperatingPoint) -> bool:
        harm_N = harm_EN[point.policy.first_exit(confidence_EN), np.arange(scores.num_videos)]
        return betting_p_value((1 + harm_N) / 2, (1 + max_drop) / 2, DELTA) <= DELTA

    never = evaluate_policy(ExitPolicy.never_early(scores.num_exits, plan_id=scores.plan_id), scores)
    return [never, *itertools.takewhile(passes, sorted(path, key=lambda point: -point.cost))][-1]


def one_threshold(scores: ExitScores, max_drop: float) -> OperatingPoint:
    """Return the cheapest shared threshold that betting on all videos shows to drop by no more."""
    return _boldest(SOLVERS["shared"](scores), scores, max_drop)


def halving(scores: ExitScores, max_drop: float) -> OperatingPoint:
    """Return the cheapest point of a frontier of half of the videos that betting on the others shows to do so."""
    learn_N = np.random.default_rng(0).permutation(scores.num_videos) < scores.num_videos // 2
    return _boldest(solve_thresholds(scores.select(learn_N)), scores.select(~learn_N), max_drop)


def _solve_once() -> None:
    """Let the two promises of ``risk`` learn from the same videos once, not twice."""
    module: Any = importlib.import_module("dynsearch.thresholds.risk")
    solve, known = module.frontier, {}

    def frontier(scores: ExitScores, *, confidence: str) -> Any:
        key = hash(scores.confidence(confidence).tobytes())
        if key not in known:
            known.clear()
            known[key] = solve(scores, confidence=confidence)
        return known[key]

    module.frontier = frontier


@functools.cache
def pool_of(table: str) -> tuple[ExitScores, float]:
    """Return all videos that there are, and the budget."""
    pool = TABLES[table](_POOL)
    return pool, float(0.75 * pool.cost_E[0] + 0.25 * pool.cost_E[-1])


def drawn(table: str, num_videos: int, max_drop: float, few: int, draw: int) -> Found:
    """Return what each way to choose a point from the videos of one draw gives on the pool."""
    warnings.simplefilter("ignore")
    pool, budget = pool_of(table)
    rng = np.random.default_rng([num_videos, draw])
    scores = pool.select(rng.integers(pool.num_videos, size=num_videos))
    chosen = {
        DROP: risk(scores, max_drop=max_drop, delta=DELTA)[-1],
        COST: risk(scores, budget=budget, delta=DELTA)[-1],
    }
    if draw < few:
        chosen |= {ONE: one_threshold(scores, max_drop), HALVING: halving(scores, max_drop)}
        if num_videos <= LARGEST_SAFE:
            curve: Frontier = solve_thresholds(scores)
            chosen[SAFE] = safe_best_under(curve, scores, budget, delta=DELTA)
            chosen[PLAIN] = curve.best_under(budget)
    measured = {name: point.evaluate(pool) for name, point in chosen.items()}
    full_top1 = float(pool.correct()[-1].mean())
    return {name: (full_top1 - point.top1, point.cost) for name, point in measured.items()}


def summary(table: str, num_videos: int, max_drop: float, draws: list[Found]) -> list[dict[str, Any]]:
    """Return, for each way, how often its promise broke, and how much dearer the drop's is than the rivals."""
    budget, rows = pool_of(table)[1], []
    for name in draws[0]:
        found = [draw for draw in draws if name in draw]
        drop_D, cost_D = np.array([draw[name] for draw in found]).T
        broken = (drop_D > max_drop + 1e-9) if "drop" in name else (cost_D > budget * (1 + 1e-9))
        row = {
            "table": table,
            "num_videos": num_videos,
            "promise": f"{name} at most {max_drop:g}" if "drop" in name else f"{name} at most {budget:.4g}",
            "draws": len(found),
            "broken": float(broken.mean()),
            "mean_cost": round(float(cost_D.mean()), 4),
            "mean_drop": round(float(drop_D.mean()), 4),
        }
        if name in (ONE, HALVING):
            dearer_D = np.array([draw[DROP][1] for draw in found]) - cost_D
            row["risk_dearer"] = round(float(dearer_D.mean()), 4)
            row["risk_dearer_error"] = round(float(dearer_D.std() / math.sqrt(len(found))), 4)
        rows.append(row)
        print(
            f"  {table}, n = {num_videos:,}: {row['promise']}: broken in {100 * row['broken']:.1f}% of {len(found)}"
            f" draws, mean cost {row['mean_cost']:.3f}, mean drop {100 * drop_D.mean():.2f} points"
            + (
                f", risk {row['risk_dearer']:+.3f} +- {row['risk_dearer_error']:.3f}"
                if name in (ONE, HALVING)
                else ""
            ),
            flush=True,
        )
    return rows


def judged(rows: list[dict[str, Any]]) -> bool:
    """Print whether each promise broke no more often than it may, by three standard errors, and was no dearer."""
    kept = []
    for row in rows:
        what = f"{row['table']}, n = {row['num_videos']:,}, {row['promise']}"
        if "plain" not in row["promise"]:
            most = DELTA + 3 * math.sqrt(DELTA * (1 - DELTA) / row["draws"])
            kept.append(check(f"{what}: share broken", row["broken"], round(most, 4)))
        if "risk_dearer" in row and row["broken"] <= DELTA:
            kept.append(check(f"{what}: risk is dearer by", row["risk_dearer"], 2 * row["risk_dearer_error"]))
    return all(kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--few", type=int, default=200)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="only sets of these sizes")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES), help="only these tables")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--output", type=Path, help="put the figures into this JSON file, and begin with it")
    arguments = parser.parse_args()
    output, rows = arguments.output, []
    if output is not None and output.is_file():
        rows = json.loads(output.read_text())["results"]
    with multiprocessing.Pool(arguments.processes, _solve_once) as processes:
        for num_videos, table in itertools.product(arguments.sizes, arguments.tables):
            if any((row["table"], row["num_videos"]) == (table, num_videos) for row in rows):
                continue
            began, max_drop = time.monotonic(), SIZES[num_videos]
            one = functools.partial(drawn, table, num_videos, max_drop, arguments.few)
            draws = processes.map(one, range(arguments.draws), chunksize=5)
            rows += summary(table, num_videos, max_drop, draws)
            print(f"  {time.monotonic() - began:.0f} s", flush=True)
            if output is not None:
                output.write_text(json.dumps({"delta": DELTA, "results": rows}, indent=1) + "\n")
    raise SystemExit(0 if judged(rows) else 1)


if __name__ == "__main__":
    main()
