"""The two effects of the paper that the embedded data set must show.

    python benchmarks/motions_effects.py [--epochs 12] [--seeds 1]

1. Online temporal shift: top-1 of full inference with it, over top-1 without it.
2. Frame permutation (Eq. 4): top-1 after the first two of eight frames in the paper's order, over plain order.

Every network is timm's test_resnet at 48 px on 8 frames, with exits after 2, 4 and 8 frames at full depth.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from dynsearch.plan import ExitPlacement, FrameOrder, Plan, TemporalShift
from dynsearch.study.recipe_file import load_recipe
from dynsearch.study.source import open_clips
from dynsearch.training.run import train_and_score

NETWORKS = {
    "paper's order, online shift": ("paper", "online"),
    "plain order, online shift": ("sequential", "online"),
    "paper's order, no shift": ("paper", "none"),
}


def top1_by_exit(order: str, shift: str, epochs: int, seed: int) -> list[float]:
    """Return test top-1 in percent after 2, 4 and 8 frames."""
    recipe = load_recipe("motions", settings=[f"training.epochs={epochs}"])[0]
    source = open_clips(recipe)
    plan = Plan(
        backbone="test_resnet",
        num_frames=8,
        frame_order=FrameOrder.named(order, 8),
        exits=ExitPlacement.of("2x5", "4x5", "8x5"),
        image_size=48,
        temporal_shift=TemporalShift(shift),
    )
    with tempfile.TemporaryDirectory() as folder:
        scores = train_and_score(plan, source, recipe.training, Path(folder), seed=seed)
    return [float(value) for value in 100 * scores.test.correct().mean(axis=1)]


def main() -> None:
    """Train the three networks and print both effects."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    top1 = {
        name: np.mean(
            [top1_by_exit(*choice, arguments.epochs, seed) for seed in range(arguments.seeds)], axis=0
        )
        for name, choice in NETWORKS.items()
    }
    print(f"test top-1 (%) after 2, 4 and 8 frames, {arguments.epochs} epochs, {arguments.seeds} seed(s)")
    for name, values in top1.items():
        print(f"  {name:28s} " + "  ".join(f"{value:5.1f}" for value in values))
    shifted, plain, unshifted = top1.values()
    result = {
        "epochs": arguments.epochs,
        "seeds": arguments.seeds,
        "top1": {name: [round(value, 2) for value in values] for name, values in top1.items()},
        "shift_ratio": round(float(shifted[-1] / unshifted[-1]), 3),
        "order_ratio": round(float(shifted[0] / plain[0]), 3),
    }
    print(f"online shift: {result['shift_ratio']} x the top-1 without it at full inference")
    print(f"paper's order: {result['order_ratio']} x the top-1 of plain order after two frames")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
