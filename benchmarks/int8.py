"""What int8 graphs save in time, and what they cost in accuracy.

    python benchmarks/int8.py --output benchmarks/results/int8.json          five minutes, two quiet cores

Speed: ResNet-50, 16 frames of 224 px, random weights, one video at a time; seconds of onnxruntime for all steps of the
exported graphs, in float32 and in int8, in turn; ``speedup`` is the ratio of the medians. Ranges are of random clips,
for time does not depend on them.

Accuracy: a small plan trained for a few epochs on the embedded data set, exported as ``dynsearch export --format
onnx --quantize int8`` does. ``top1_float32`` and ``top1_int8`` are test top-1 under the budget, with thresholds of each
network's own; ``low`` and ``high`` the 95% interval of their difference (int8 minus float32, paired). Exits 1 if a goal
is missed: 1.8 times as fast, and 0 inside the interval or below.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx_speed import bundle_of

from dynsearch.api.videos import open_videos
from dynsearch.data.catalogue import open_dataset
from dynsearch.export.graphs import runner, write_graphs
from dynsearch.export.graphs.quantize import quantise
from dynsearch.export.loaded import load_network
from dynsearch.export.train import train_bundle
from dynsearch.frontier import bootstrap_difference
from dynsearch.measures import COUNTED
from dynsearch.plan import ExitPlacement, FrameOrder, Plan
from dynsearch.scores import ExitScores
from dynsearch.study.recipe_file import load_recipe
from dynsearch.study.run_settings import RunSettings
from dynsearch.training.made import SCORES
from dynsearch.training.source import DatasetClips

GOAL = 1.8


def speed(threads: int, repeats: int, backbone: str, size: int) -> dict[str, float]:
    """Return the median seconds of float32 and int8 for one video that never stops early, and their ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = bundle_of(folder, backbone, size)
        write_graphs(bundle, folder / "float32", "onnx")
        network = load_network(bundle).eval()
        clips = torch.randn(2, 16, 3, size, size, generator=torch.Generator().manual_seed(0))
        (folder / "int8").mkdir()
        files = [folder / "int8" / f"step{k}.onnx" for k in range(len(bundle.plan.exits))]
        for path in files:
            onnx.save(onnx.load(folder / "float32" / path.name), path)  # With its weights inside.
        quantise(network, files, clips.split(1))
        (folder / "int8" / "network.json").write_text((folder / "float32" / "network.json").read_text())
        networks = {each: runner.Network(folder / each, threads=threads) for each in ("float32", "int8")}
        print(f"{networks['int8'].runtime}, {threads} threads")
        seconds: dict[str, list[float]] = {each: [] for each in networks}
        for turn in range(repeats + 1):
            for each, found in networks.items():
                started = time.perf_counter()
                found.run(clips[:1].numpy())
                seconds[each] += [time.perf_counter() - started] * bool(turn)
    float32, int8 = (statistics.median(seconds[each]) for each in ("float32", "int8"))
    return {"seconds_float32": float32, "seconds_int8": int8, "speedup": float32 / int8}


def accuracy(epochs: int, folder: Path) -> dict[str, float]:
    """Return test top-1 of both networks on ``motions``, and the interval of their difference."""
    plan = Plan(
        "test_resnet", 8, FrameOrder.named("bisection", 8),
        ExitPlacement.of("1x3", "2x4", "4x4", "8x5"), image_size=48,
    )  # fmt: skip
    recipe, _ = load_recipe("motions", settings=[f"training.epochs={epochs}", "training.refit_heads=null"])
    source = DatasetClips(
        open_dataset("motions", None, **recipe.splitting), recipe.frame_cache, num_workers=0
    )
    made = train_bundle(plan, recipe, source, folder)
    assert made is not None
    bundle, _ = made
    held_out = open_videos(
        recipe, bundle.class_names, None, dataset=None, data_root=None,
        run=RunSettings(), known=bundle.contents(), warn=print,
    )  # fmt: skip
    int8 = write_graphs(bundle, folder / "onnx", "onnx", int8=held_out)
    assert int8 is not None
    float32 = ExitScores.load(folder / SCORES["test"])
    right = []
    for scores, policy in ((int8.scores[1], int8.chosen.calibration.policy), (float32, bundle.policy)):
        exit_N = policy.first_exit(policy.confidence_of(scores))
        right.append(scores.correct()[exit_N, np.arange(len(exit_N))])
    low, high = bootstrap_difference(*right)
    return {
        "videos": len(right[0]), COUNTED.budget_name: recipe.budget,
        "top1_float32": float(right[1].mean()), "top1_int8": float(right[0].mean()), "low": low, "high": high,
    }  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Print and write both, and return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    found: dict[str, object] = {"device": "cpu", "plan": arguments.backbone, "videos_at_a_time": 1}
    found |= {"threads": arguments.threads, "data": "motions"}
    found |= speed(arguments.threads, arguments.repeats, arguments.backbone, arguments.image_size)
    print(json.dumps(found), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        found |= accuracy(arguments.epochs, Path(folder))
    found = {key: round(value, 4) if isinstance(value, float) else value for key, value in found.items()}
    print(json.dumps(found))
    if arguments.output:
        arguments.output.write_text(json.dumps(found, indent=1) + "\n")
    return int(float(str(found["speedup"])) < GOAL or float(str(found["high"])) < 0)


if __name__ == "__main__":
    raise SystemExit(main())
