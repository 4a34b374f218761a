"""What the search for exit placements costs and how near it comes to trying every placement, on one core.

    OMP_NUM_THREADS=1 python benchmarks/placements.py [--quick] [--grid FOLDER] [--output FILE.json]

Speed: a simulated score grid of 20,000 videos, 8 x 5 cells and 174 classes (Something-Something v2), in half
precision on disk; up to 6 exits; the whole frontier, in a process of its own.

Gap: at 12 budgets, the best of all placements, each with its thresholds from the ``frontier`` solver, minus what
the search found: in points of top-1 on the calibration videos, and on new ones. On 8 x 5 cells with up to 3 exits,
on 4 x 3 cells with up to 6, and, with ``--grid``, on a score grid of a real network with up to 3.

Each promised figure is printed with its limit; the exit code is 1 when one is broken.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.thresholds import BUDGET_SHARES, check
from dynsearch.frontier import Frontier, solve_thresholds
from dynsearch.frontier.placements import search_placements
from dynsearch.frontier.placements.cells import Cells, Rules
from dynsearch.plan import ExitPlacement
from dynsearch.scores import ScoreGrid
from dynsearch.thresholds import evaluate_policy
from tests.scores.grids import simulated_grid

SECONDS, MEGABYTES, POINTS = 60, 4096, 0.1


def search_here(folder: str, num_folds: int | None) -> dict[str, Any]:
    start = time.process_time()
    found = search_placements(ScoreGrid.load(folder), num_folds=num_folds)
    return {
        "cpu_s": time.process_time() - start,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "points": len(found),
        "placements": len(found.placements),
    }


def speed(num_videos: int, num_classes: int) -> dict[str, Any]:
    print(
        f"\nspeed: {num_videos:,} videos, 8 x 5 cells, {num_classes} classes, up to 6 exits, one frame order"
    )
    results = {}
    with tempfile.TemporaryDirectory() as folder:

        def create(**arguments: Any) -> Any:
            return ScoreGrid.create(f"{folder}/grid", **arguments)

        grid = simulated_grid(num_videos, num_classes=num_classes, create=create)
        print(f"  {grid.logits_SMNK.nbytes / 2**20:.0f} MB of logits")
        for name, num_folds in (("search", "0"), ("search and estimate on new videos", "2")):
            command = [sys.executable, __file__, "--one", f"{folder}/grid", num_folds]
            environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            output = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=True
            ).stdout
            results[name] = json.loads(output.splitlines()[-1])
            print(f"  {name}: {results[name]}", flush=True)
    return results


def top1_at(
    points: Sequence[tuple[float, float, Any]], budgets: NDArray[np.float64]
) -> list[tuple[float, Any]]:
    """Return for each budget the best top-1 of (GFLOPs, top-1, what) points within it, and what it is."""
    ordered = sorted(points, key=lambda point: (point[1], -point[0]))
    return [next((p[1], p[2]) for p in reversed(ordered) if p[0] <= budget) for budget in budgets]


def all_placements(cells: Cells) -> list[ExitPlacement]:
    counts = range(cells.rules.min_exits, cells.rules.max_exits + 1)
    return [
        ExitPlacement(tuple(cells.exits[cell] for cell in chosen))
        for num_exits in counts
        for chosen in cells.chains_of(num_exits)
    ]


def gap(name: str, grid: ScoreGrid, new: ScoreGrid | None, max_exits: int) -> dict[str, Any]:
    """Compare the search with all placements that end with the last cell."""
    rules = Rules(min_exits=1, max_exits=max_exits)
    placements = all_placements(Cells.of(grid, rules, "max-softmax", 2))
    first, last = (grid.steps.cost_E([cell])[0] for cell in (0, grid.steps.num_cells - 1))
    budgets = first + BUDGET_SHARES * (last - first)
    start = time.process_time()
    found = search_placements(grid, min_exits=1, max_exits=max_exits, num_folds=None)
    middle = time.process_time()
    everything = [
        (point.cost, point.top1, (point.policy, placement))
        for placement in placements
        for point in Frontier(solve_thresholds(grid.reduced_scores(placement)))
    ]
    end = time.process_time()
    ours = top1_at([(p.cost, p.top1, (p.chosen.policy, p.placement)) for p in found], budgets)
    best = top1_at(everything, budgets)
    gaps = 100 * np.array([b[0] - o[0] for b, o in zip(best, ours, strict=True)])
    values = {
        "videos": grid.num_videos,
        "placements": len(placements),
        "mean_gap": float(gaps.mean()),
        "largest_gap": float(gaps.max()),
        "cpu_s": middle - start,
        "cpu_ratio": (end - middle) / (middle - start),
    }
    text = (
        f"  {name}: {len(placements)} placements, gap {gaps.mean():+.3f} points (largest {gaps.max():+.2f})"
    )
    if new is not None:
        on_new = [
            np.mean([evaluate_policy(policy, new.reduced_scores(p)).top1 for _, (policy, p) in side])
            for side in (best, ours)
        ]
        values["mean_gap_on_new"] = float(100 * (on_new[0] - on_new[1]))
        text += f", on new videos {values['mean_gap_on_new']:+.3f}"
    print(f"{text}; trying all takes x {values['cpu_ratio']:.0f} the CPU time", flush=True)
    return values


def gaps(seeds: Sequence[int], grids: Sequence[str]) -> dict[str, Any]:
    print(
        "\ngap: the best of all placements, each with its thresholds solved, minus the search (mean of 12 budgets)"
    )
    values: dict[str, Any] = {}
    for num_videos, num_sets, num_depths, max_exits in ((1000, 8, 5, 3), (1000, 4, 3, 6)):
        for seed in seeds:
            pool = simulated_grid(num_videos + 10_000, num_sets=num_sets, num_depths=num_depths, seed=seed)
            parts = (np.arange(num_videos), np.arange(num_videos, num_videos + 10_000))
            name = f"{num_sets}x{num_depths}, n={num_videos}, K<={max_exits}, seed {seed}"
            values[name] = gap(name, *map(pool.select, parts), max_exits)
    for folder in grids:
        grid, name = ScoreGrid.load(folder), Path(folder).name
        values[name] = gap(f"{name}, n={grid.num_videos}, K<=3", grid, None, 3)
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="one seed")
    parser.add_argument(
        "--grid", action="append", default=[], help="a score grid to measure the gap on as well"
    )
    parser.add_argument("--output", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--one", nargs=2, metavar=("GRID", "FOLDS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        folder, num_folds = arguments.one
        print(json.dumps(search_here(folder, int(num_folds) or None)))
        return
    values = {"speed": speed(20_000, 174)}
    values["gap"] = gaps(range(1 if arguments.quick else 3), arguments.grid)
    print()
    whole = values["speed"]["search and estimate on new videos"]
    kept = [
        check("CPU seconds of the whole frontier, estimates on new videos included", whole["cpu_s"], SECONDS),
        check("peak memory, MB", whole["peak_mb"], MEGABYTES),
        check("largest mean gap, points", max(v["mean_gap"] for v in values["gap"].values()), POINTS),
    ]
    if arguments.output is not None:
        arguments.output.write_text(json.dumps(values, indent=1) + "\n")
    raise SystemExit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
