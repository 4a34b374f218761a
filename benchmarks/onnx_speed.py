"""How fast exported graphs are with onnxruntime, against our own progressive inference in torch.

    python benchmarks/onnx_speed.py [--backbone resnet50] [--image-size 224] [--repeats 5] [--shares 1.0 0.5 0.25]

Random weights, 16 frames, one video at a time, float32, one thread. For each share of the full multiply-accumulates
(thresholds chosen on the same clips) it prints seconds per video of both, in turn in the same run, medians over the
repeats, and their ratio (below 1: onnxruntime is faster); and the largest difference of the answers.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from progressive_speed import EXITS, confidences, plan_of, policy_for

from dynsearch.export import Bundle
from dynsearch.export.graphs import write_graphs
from dynsearch.export.graphs.runner import Network
from dynsearch.export.loaded import load_network
from dynsearch.network.weights.files import save_weights
from dynsearch.study.recipe import StudyRecipe
from dynsearch.thresholds import ExitPolicy


def bundle_of(folder: Path, backbone: str, image_size: int) -> Bundle:
    """Return a bundle with random weights that never stops early."""
    from dynsearch.families import build_network

    plan = plan_of(backbone, image_size, *EXITS.get(backbone, EXITS["resnet50"]))
    recipe = StudyRecipe(dataset="none", space="none", max_gflops=1e6)
    torch.manual_seed(0)
    save_weights(build_network(plan, 174), folder / "weights.safetensors")
    never = (float("inf"),) * (len(plan.exits) - 1)
    names = tuple(f"class {i}" for i in range(174))
    return Bundle(folder, plan, ExitPolicy((*never, float("-inf"))), names, recipe)


def seconds(run: Callable[[int], object], num_clips: int) -> float:
    """Return the mean time of ``run`` over all clips."""
    started = time.perf_counter()
    for i in range(num_clips):
        run(i)
    return (time.perf_counter() - started) / num_clips


def main(argv: Sequence[str] | None = None) -> None:
    """Print a table, and the same as one line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--shares", nargs="+", type=float, default=[1.0, 0.5, 0.25])
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = bundle_of(folder, arguments.backbone, arguments.image_size)
        write_graphs(bundle, folder / "onnx", "onnx")
        ours = load_network(bundle).to(memory_format=torch.channels_last).eval()
        theirs = Network(folder / "onnx", threads=1)
        size = arguments.image_size
        clips = torch.randn(arguments.clips, 16, 3, size, size)
        confidence_EN = confidences(ours, clips)
        for share in arguments.shares:
            policy = bundle.policy if share == 1 else policy_for(ours, confidence_EN, share)
            theirs.thresholds = list(policy.thresholds)
            result = ours.forward_until(clips, policy)
            logits, exits = theirs.run(clips.numpy())
            assert exits.tolist() == result.exit.tolist()
            runs = {
                "torch": lambda i, policy=policy: ours.forward_until(clips[i : i + 1], policy),
                "onnxruntime": lambda i: theirs.run(clips[i : i + 1].numpy()),
            }
            times: dict[str, list[float]] = {name: [] for name in runs}
            for _ in range(arguments.repeats + 1):  # The first is warm-up.
                for key, run in runs.items():
                    times[key].append(seconds(run, len(clips)))
            torch_s, onnx_s = (statistics.median(times[key][1:]) for key in runs)
            rows.append(
                {
                    "backbone": arguments.backbone,
                    "share of MACs": round(float(result.cost.mean() / ours.cost_E[-1]), 3),
                    "torch s": round(torch_s, 4),
                    "onnxruntime s": round(onnx_s, 4),
                    "ratio": round(onnx_s / torch_s, 3),
                    "difference": f"{np.abs(logits - result.logits.numpy()).max():.1e}",
                }
            )
    print("  ".join(f"{key:>14s}" for key in rows[0]))
    for row in rows:
        print("  ".join(f"{value!s:>14s}" for value in row.values()))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
