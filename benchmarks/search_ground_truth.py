"""Ground truth for search methods: plans of a small space, each trained alone, twice.

    OMP_NUM_THREADS=1 python benchmarks/search_ground_truth.py [--truth sizes] [--plans 60] [--seeds 2] [--processes 16]

Writes one JSON line per plan and seed into benchmarks/results/search_ground_truth.jsonl (of the spaces, see
search_truths.py): the plan, and its best
operating points under each budget, chosen on calibration and measured on test, after some of the epochs and at
the end. Search methods are then replayed against the table without training. Interrupted, it goes on.
Networks are trained in float32, on the first GPU if there is one.

    ... --start FOLDER --epochs 4 --seeds 1 --table retrained.jsonl

starts them from a one-shot network's weights instead, as a study does; FOLDER is that of one of search_networks.py.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import optuna

sys.path.insert(0, str(Path(__file__).parent))

from search_truths import ORDERS, TRUTHS, Truth

from dynsearch.families import build_network
from dynsearch.frontier import solve_thresholds
from dynsearch.network.weights.files import load_weights, save_weights
from dynsearch.network.weights.start import wake_residual_branches
from dynsearch.plan import Plan
from dynsearch.scores import ExitScores
from dynsearch.search.one_shot.training import SharedWeights
from dynsearch.study.recipe import OneShotConfig, StudyRecipe
from dynsearch.study.recipe_file import load_recipe
from dynsearch.study.source import open_clips
from dynsearch.training.device import pick_device
from dynsearch.training.loop import EpochReport, train
from dynsearch.training.scorer import score
from dynsearch.training.seeding import seed_torch
from dynsearch.training.source import DatasetClips

EPOCHS = 12
"""Half as many again as the recipe has: with its 8, two seeds of a plan differ by 5 points."""
RUNGS = (1, 3, 6, 12)
"""Epochs after which the network is measured, so that early stopping can be replayed too."""


def recipe(*settings: str) -> StudyRecipe:
    """Return the embedded data set's own recipe with changes as ``field=value``: float32, heads as trained."""
    fixed = [f"training.epochs={EPOCHS}", "training.amp=off", "training.refit_heads=null"]
    return load_recipe("motions", settings=[*fixed, *settings])[0]


def sampled_plans(num_plans: int, truth: Truth) -> Iterator[Plan]:
    """Yield distinct plans drawn at random from the space; the first ones are the same for any number."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen: set[str] = set()
    while len(seen) < num_plans:
        plan = truth.space.sample(study.ask())
        if plan.plan_id not in seen:
            seen.add(plan.plan_id)
            yield plan


def points_under(
    calibration: ExitScores, test: ExitScores, budgets: Sequence[float]
) -> dict[str, list[float] | None]:
    """Return (calibration top-1, calibration GFLOPs, test top-1, test GFLOPs) by budget; None where no exit fits."""
    curve = solve_thresholds(calibration)
    points: dict[str, list[float] | None] = {}
    for budget in budgets:
        if curve[0].cost > budget:
            points[f"{budget:g}"] = None
            continue
        chosen = curve.best_under(budget)
        claimed = chosen.evaluate(test)
        values = (chosen.top1, chosen.cost, claimed.top1, claimed.cost)
        points[f"{budget:g}"] = [round(value, 6) for value in values]
    return points


def measure(
    plan: Plan,
    source: DatasetClips,
    seed: int,
    truth: Truth = ORDERS,
    *,
    epochs: int = EPOCHS,
    start: Path | None = None,
) -> dict[str, Any]:
    """Train ``plan`` alone, from one-shot weights below ``start`` if it is given, and return its row."""
    started = time.perf_counter()
    config = recipe(f"training.epochs={epochs}").training
    rungs = RUNGS if epochs == EPOCHS else (epochs,)
    device = pick_device()
    seed_torch(seed, "init")
    network = build_network(plan, source.num_classes, dropout=config.dropout)
    if start is None:
        wake_residual_branches(network)
    else:
        with tempfile.TemporaryDirectory() as folder:
            weights = Path(folder) / "start.safetensors"
            own = SharedWeights(start, truth.space, source.num_classes, OneShotConfig(), seed)
            save_weights(own.network(plan), weights)
            load_weights(network, weights)
    loaders = {
        split: source.loader(split, plan, config, training=False, seed=seed)
        for split in ("calibration", "test")
    }
    points: dict[str, Any] = {}

    def measure_rung(report: EpochReport) -> None:
        if report.epoch in rungs:
            scores = [
                score(network, loader, video_ids=source.video_ids(split), split=split, device=device)
                for split, loader in loaders.items()
            ]
            points[str(report.epoch)] = points_under(scores[0], scores[1], truth.budgets)

    loader = source.loader("train", plan, config, training=True, seed=seed)
    train(network, loader, config, device=device, seed=seed, on_epoch=measure_rung)
    seconds = round(time.perf_counter() - started, 1)
    return {
        "plan_id": plan.plan_id, "seed": seed, "seconds": seconds, "plan": plan.to_dict(),
        "full_gflops": network.cost_E[-1], "points": points,
    }  # fmt: skip


def main() -> None:
    """Train what the table lacks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--truth", choices=list(TRUTHS), default=ORDERS.name)
    parser.add_argument("--plans", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--processes", type=int, default=1, help="plans trained at the same time")
    parser.add_argument("--table", type=Path)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--start", type=Path, help="folder of a one-shot network to start from")
    arguments = parser.parse_args()
    truth = TRUTHS[arguments.truth]
    table = arguments.table or truth.file("ground_truth")
    lines = table.read_text().splitlines() if table.is_file() else []
    done = {(row["plan_id"], row["seed"]) for row in map(json.loads, lines)}
    todo = [
        (plan, seed)
        for seed in range(arguments.seeds)
        for plan in sampled_plans(arguments.plans, truth)
        if (plan.plan_id, seed) not in done
    ]
    open_clips(recipe())  # Makes the data set before the processes want it.
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        for row in pool.imap_unordered(
            partial(_measure, truth=truth, epochs=arguments.epochs, start=arguments.start), todo
        ):
            with table.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(f"{row['plan_id']} seed {row['seed']}: {row['seconds']} s", flush=True)


def _measure(task: tuple[Plan, int], *, truth: Truth, epochs: int, start: Path | None) -> dict[str, Any]:
    plan, seed = task
    return measure(plan, open_clips(recipe()), seed, truth, epochs=epochs, start=start)


if __name__ == "__main__":
    main()
