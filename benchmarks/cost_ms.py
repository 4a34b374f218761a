"""Do measured cost tables predict real passes, and does searching under ms choose better than under GFLOPs?

    python benchmarks/cost_ms.py [--plans 30] [--threads 1] [--no-case] [--device cpu] [--work FOLDER]

*Predictions*: tables of a ResNet, a MobileNet and an MSDNet are measured as ``dynsearch cost --measure ms`` does;
random plans on them are predicted by addition, then run for real, and medians compared; and what costing a plan takes.

*Case*: the space ``cost_ms.yaml`` beside this, two MobileNets and two ResNets, is searched on the embedded data set
by ``dynsearch study --max-gflops``, with one network for all plans of a backbone. What it chooses is run on calibration
videos for real, one at a time, stopping early. The same space is then searched under that time, or what the table says
of it if that is less, ``--max-ms``; networks are those that were trained (same recipe, seed and data). Both choices,
and the fastest point that ms find as accurate as the first, are run on test videos, video by video in turns. Networks
are kept in ``--work`` and not trained again (25 minutes of a core); all times are measured anew. Written to
``results/cost_ms.json``, with the load of the machine: a busy one makes all of it worthless.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import dynsearch
from dynsearch.export.loaded import LoadedNetwork
from dynsearch.frontier import MergedPoint, bootstrap_difference
from dynsearch.plan import ExitPlacement, Plan
from dynsearch.space import SearchSpace
from dynsearch.study.recipe_file import load_recipe
from dynsearch.study.run_settings import RunSettings
from dynsearch.study.source import open_clips
from dynsearch.timing.measure import made, measured
from dynsearch.timing.setup import Asked, Setup
from dynsearch.timing.tables import TableCosts

PREDICTED = [("resnet18", 112, 8), ("mobilenetv2_100", 112, 8), ("msdnet38", 112, 4)]
SPACE = Path(__file__).with_suffix(".yaml")
MAX_GFLOPS = 0.04
SETTINGS = (
    "training.refit_heads=null", "training.amp=auto", "training.epochs=8", "one_shot.epochs=8", "one_shot.shared=6",
    "one_shot.finish_epochs=half", "run.num_workers=0",
)  # fmt: skip
"""Of both studies: linear heads, and how long the networks of all plans are trained."""


def random_plan(rng: random.Random, backbone: str, size: int, frames: int, depth: int) -> Plan:
    count = rng.randint(1, 5)
    exits = ExitPlacement.rising(
        [rng.randint(1, frames) for _ in range(count)], [rng.randint(2, depth) for _ in range(count)]
    )
    return Plan(backbone, frames, "sequential", exits, num_sets=frames, image_size=size)


def predictions(num_plans: int, asked: Asked, folder: Path) -> dict[str, Any]:
    rng, errors, costed = random.Random(0), [], []
    for i, (backbone, size, frames) in enumerate(PREDICTED):
        trunk = Plan(backbone, frames, "sequential", f"{frames}x2", num_sets=frames, image_size=size)
        began = time.monotonic()
        table = measured(trunk, asked, print)
        table.save(folder)
        costs = TableCosts(asked, own=folder).measure
        costs.cost_E(trunk, 400)
        print(
            f"{backbone}: measured in {time.monotonic() - began:.0f} s, spread {100 * table.spread:.0f}%",
            flush=True,
        )
        for _ in range(num_plans * (i + 1) // len(PREDICTED) - num_plans * i // len(PREDICTED)):
            plan = random_plan(rng, backbone, size, frames, len(table.stages))
            began = time.perf_counter()
            costs.cost_E(plan, 400)
            costed.append(1000 * (time.perf_counter() - began))
            with torch.inference_mode():
                runner = made(plan, asked, table.setup.runtime, num_classes=400)
                runner.run(9, warm=3)
            real = float(np.median(np.sum(runner.ms, axis=1)))
            said = table.cost_E(plan, 400)[-1]
            errors.append(abs(said / real - 1))
            print(
                f"{backbone} {plan.exits}: {said:.2f} ms said, {real:.2f} ms measured, {100 * (said / real - 1):+.1f}%"
            )
    return {
        "num_plans": len(errors), "median_error": float(np.median(errors)), "worst_error": max(errors),
        "plan_cost_ms": float(np.median(costed)),
    }  # fmt: skip


def case(asked: Asked, work: Path) -> dict[str, Any]:
    """Return what searches under GFLOPs and under milliseconds choose in one space, measured by real passes."""
    root = work / "studies"
    root.mkdir(parents=True, exist_ok=True)
    space = Path(shutil.copy(SPACE, work))  # A study is held to the path of its space too.
    counted = study(root, space, "gflops", ["--max-gflops", str(MAX_GFLOPS)])
    first = counted.best_under()
    by_gflops = network(counted, first, work / "gflops-choice", asked)
    recipe, _ = load_recipe("motions", settings=["training.refit_heads=null"])
    source = open_clips(recipe, None, run=RunSettings(num_workers=0))
    config = recipe.training.model_copy(update={"batch_size": 1})

    def clips(split: str) -> Any:
        return source.loader(split, counted.plan(first), config, training=False, seed=0)

    costs = TableCosts(asked, tell=print)
    for plan in {plan.backbone: plan for plan in SearchSpace.load(SPACE).cheapest_plans()}.values():
        costs.measured(plan)
    real = float(np.mean(real_passes([by_gflops], clips("calibration"))[0][0]))
    by_table = float(np.dot(first.calibration.exit_share, costs(counted.plan(first), source.num_classes)))
    limit = min(real, by_table)
    print(
        f"{counted.plan(first)}: {real:.2f} ms on calibration videos, {by_table:.2f} by the table", flush=True
    )
    shutil.rmtree(root / "ms", ignore_errors=True)
    for weights in (root / "gflops" / "one-shot").glob("*/weights.safetensors"):
        there = root / "ms" / "one-shot" / weights.parent.name
        there.mkdir(parents=True)
        shutil.copy(weights, there)
    timed = study(root, space, "ms", ["--max-ms", f"{limit:.4f}", "--device", asked.device or "cpu"])
    second = timed.best_under()
    alike = next(point for point in timed.points if point.calibration.worth >= first.calibration.worth)
    choices = {
        "gflops_choice": (counted, first),
        "ms_choice": (timed, second),
        "ms_as_accurate": (timed, alike),
    }
    networks = [network(*chosen, work / name, asked) for name, chosen in choices.items()]
    ms, right = real_passes(networks, clips("test"))
    found: dict[str, Any] = {"max_gflops": MAX_GFLOPS, "max_ms": limit}
    for i, (name, (of, point)) in enumerate(choices.items()):
        plan, interval = of.plan(point), point.test_interval
        against = bootstrap_difference(right[i], right[0])
        found[name] = {
            "backbone": plan.backbone, "exits": str(plan.exits), "top1": float(right[i].mean()),
            "low": interval.low, "high": interval.high, "measured_ms": float(np.mean(ms[i])),
            "p95_ms": float(np.percentile(ms[i], 95)),
            "table_ms": float(np.dot(point.test.exit_share, costs(plan, source.num_classes))),
            "top1_more_than_gflops_choice": float(right[i].mean() - right[0].mean()),
            "more_low": against.low, "more_high": against.high,
        }  # fmt: skip
        print(name, json.dumps(found[name]), flush=True)
    return found


def study(root: Path, space: Path, name: str, budget: Sequence[str]) -> dynsearch.Study:
    """Run a study, or go on with it, by the command line."""
    words = [
        "study",
        "--recipe",
        "motions",
        "--space",
        str(space),
        "--strategy",
        "one-shot",
        "--retrain",
        "0",
    ]
    words += ["--trials", "4", "--name", name, "--studies", str(root), *budget]
    words += [word for setting in SETTINGS for word in ("--set", setting)]
    subprocess.run([sys.executable, "-m", "dynsearch", *words], check=True)
    return dynsearch.Study.open(name, root)


def network(of: dynsearch.Study, point: MergedPoint[int], folder: Path, asked: Asked) -> LoadedNetwork:
    """Return the network of a point with its thresholds."""
    bundle = of.export(folder, point.calibration.cost, force=True)
    return dynsearch.load(bundle, device=asked.device, runtime=asked.runtime)


def real_passes(networks: Sequence[LoadedNetwork], clips: Any) -> tuple[np.ndarray, np.ndarray]:
    """Let each video go to its exit in each of n networks in turn; return ms, and whether answers are right, (n, N)."""
    ms, right = [], []
    for i, (video, label, _) in enumerate(clips):
        row_ms, row_right = [], []
        for net in networks:
            on_device = video.to(net.device)
            for _ in range(2 if i else 10):  # once to warm up what another network left cold
                began = time.perf_counter()
                found = net.network.forward_until(on_device, net.bundle.policy, net.ready[1])
                spent = 1000 * (time.perf_counter() - began)
            row_ms.append(spent)
            row_right.append(int(found.logits.argmax()) == int(label))
        ms.append(row_ms)
        right.append(row_right)
    return np.transpose(ms), np.transpose(right).astype(float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plans", type=int, default=30, help="0 leaves predictions as they are in the file.")
    parser.add_argument("--no-case", action="store_true", help="Leave the case as it is in the file.")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "cost_ms")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "cost_ms.json")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    asked = Asked(device=given.device)
    load = os.getloadavg()[0]
    values = json.loads(given.output.read_text()) if given.output.is_file() else {}
    values |= {"device": str(Setup.here(asked)), "load_before": load}
    if given.plans:
        values |= predictions(given.plans, asked, given.work / "predicted")
    if not given.no_case:
        values["case"] = case(asked, given.work)
    given.output.write_text(json.dumps(values, indent=1) + "\n")
    print(json.dumps(values, indent=1))


if __name__ == "__main__":
    main()
