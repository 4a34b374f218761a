"""Do measured cost tables predict real passes, and does a budget in ms choose better than one in GFLOPs?

    python benchmarks/cost_ms.py [--plans 30] [--threads 1] [--epochs 6] [--device cpu]

Under eight minutes on two quiet cores. *Predictions*: tables of a ResNet, a MobileNet and an MSDNet are measured as
``dynsearch cost --measure ms`` does; random plans on them are predicted by addition, then run for real, and medians
compared. *Case*: networks on three backbones are trained on the embedded data set, and the best point under a budget
is chosen among them once by GFLOPs and once by ms; both choices are then run on test videos for real, one at a time.
The budgets are what full inference of the MobileNet takes, in GFLOPs and in ms. Written to
``benchmarks/results/cost_ms.json``, with the load of the machine: a busy one makes all of it worthless.
"""

import argparse
import json
import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dynsearch.families import cost_table
from dynsearch.frontier import solve_thresholds, top1_interval
from dynsearch.network.runtimes import runtime_for
from dynsearch.network.weights.files import load_weights
from dynsearch.plan import ExitPlacement, Plan
from dynsearch.study.recipe_file import load_recipe
from dynsearch.study.run_settings import RunSettings
from dynsearch.study.saved_frontiers import costed
from dynsearch.study.source import open_clips
from dynsearch.thresholds import ExitPolicy
from dynsearch.timing.measure import made, measured
from dynsearch.timing.setup import Asked, Setup
from dynsearch.timing.tables import TableCosts
from dynsearch.training.config import TrainingConfig
from dynsearch.training.made import WEIGHTS
from dynsearch.training.run import train_and_score
from dynsearch.training.source import DatasetClips

PREDICTED = [("resnet18", 112, 8), ("mobilenetv2_100", 112, 8), ("msdnet38", 112, 4)]
CASE = {"mobilenetv2_050": 48, "test_resnet": 48, "resnet10t": 48}
"""Backbones, and the size of their frames."""


def random_plan(rng: random.Random, backbone: str, size: int, frames: int, depth: int) -> Plan:
    count = rng.randint(1, 5)
    exits = ExitPlacement.rising(
        [rng.randint(1, frames) for _ in range(count)], [rng.randint(2, depth) for _ in range(count)]
    )
    return Plan(backbone, frames, "sequential", exits, num_sets=frames, image_size=size)


def predictions(num_plans: int, asked: Asked) -> dict[str, Any]:
    rng, errors = random.Random(0), []
    for i, (backbone, size, frames) in enumerate(PREDICTED):
        trunk = Plan(backbone, frames, "sequential", f"{frames}x2", num_sets=frames, image_size=size)
        began = time.monotonic()
        table = measured(trunk, asked, print)
        print(
            f"{backbone}: measured in {time.monotonic() - began:.0f} s, spread {100 * table.spread:.0f}%",
            flush=True,
        )
        for _ in range(num_plans * (i + 1) // len(PREDICTED) - num_plans * i // len(PREDICTED)):
            plan = random_plan(rng, backbone, size, frames, len(table.stages))
            with torch.inference_mode():
                runner = made(plan, asked, table.setup.runtime, num_classes=400)
                runner.run(9, warm=3)
            real = float(np.median(np.sum(runner.ms, axis=1)))
            said = table.cost_E(plan, 400)[-1]
            errors.append(abs(said / real - 1))
            print(
                f"{backbone} {plan.exits}: {said:.2f} ms said, {real:.2f} ms measured, {100 * (said / real - 1):+.1f}%"
            )
    return {"num_plans": len(errors), "median_error": float(np.median(errors)), "worst_error": max(errors)}


def case(asked: Asked, folder: Path, epochs: int) -> dict[str, Any]:
    """Return what GFLOPs and what milliseconds choose among the same networks, measured by real passes."""
    recipe, _ = load_recipe("motions", settings=[f"training.epochs={epochs}", "training.refit_heads=null"])
    source = open_clips(recipe, None, run=RunSettings())
    costs, plans, scores = TableCosts(asked, tell=print), {}, {}
    for backbone, size in CASE.items():
        depth = 5 if backbone != "mobilenetv2_050" else 6
        plan = Plan(backbone, 8, "sequential", ["2x3", "4x4", f"8x{depth - 1}"], num_sets=8, image_size=size)
        plans[backbone] = plan
        scores[backbone] = train_and_score(plan, source, recipe.training, folder / backbone, seed=0)
        print(f"{backbone}: test top-1 {scores[backbone].test.correct().mean(axis=1).round(3)}", flush=True)
    num_classes, cheap = source.num_classes, plans["mobilenetv2_050"]
    budgets = {"gflops": cost_table(cheap, num_classes).cost_E[-1], "ms": costs(cheap, num_classes)[-1]}
    found = {}
    for name, budget in budgets.items():
        best = None
        for backbone, plan in plans.items():
            calibration = scores[backbone].calibration
            if name == "ms":
                calibration = costed(calibration, plan, costs.measure)
            curve = solve_thresholds(calibration)
            inside = [point for point in curve if point.cost <= budget]
            if inside and (best is None or inside[-1].worth > best[1].worth):
                best = backbone, inside[-1]
        assert best is not None, f"no point under {budget} {name}"
        backbone, point = best
        test = scores[backbone].test
        top1 = point.policy.first_exit(point.policy.confidence_of(test))
        right = test.correct()[top1, range(test.num_videos)].mean()
        interval = top1_interval(float(right), test.num_videos)
        how = (plans[backbone], point.policy, source, recipe.training, asked)
        spent = real_passes(folder / backbone / WEIGHTS, *how)
        found[f"{name}_choice"] = {
            "backbone": backbone, "budget": budget, "top1": float(right), "low": interval.low, "high": interval.high,
            "measured_ms": float(np.mean(spent)), "p95_ms": float(np.percentile(spent, 95)),
        }  # fmt: skip
        print(name, found[f"{name}_choice"], flush=True)
    return found


def real_passes(
    weights: Path, plan: Plan, policy: ExitPolicy, source: DatasetClips, config: TrainingConfig, asked: Asked
) -> list[float]:
    """Return the milliseconds of test videos, one at a time, stopping where the policy says."""
    runtime = Setup.here(asked).runtime
    network = made(plan, asked, None, num_classes=source.num_classes).network
    load_weights(network, weights)
    steps, spent = runtime_for(runtime, network)[1], []
    config = config.model_copy(update={"batch_size": 1, "num_workers": 0})
    device = next(network.parameters()).device
    for clips, _, _ in source.loader("test", plan, config, training=False, seed=0):
        clips = clips.to(device)
        began = time.perf_counter()
        network.forward_until(clips, policy, steps)
        spent.append(1000 * (time.perf_counter() - began))
        if len(spent) == 310:
            break
    return spent[10:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plans", type=int, default=30, help="0 leaves predictions out.")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "cost_ms")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "cost_ms.json")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    asked = Asked(device=given.device)
    load = os.getloadavg()[0]
    values = {
        "device": str(Setup.here(asked)),
        "load_before": load,
        **(predictions(given.plans, asked) if given.plans else {}),
    }
    values["case"] = case(asked, given.work, given.epochs)
    given.output.write_text(json.dumps(values, indent=1) + "\n")
    print(json.dumps(values, indent=1))


if __name__ == "__main__":
    main()
