"""What six exits cost in training: one step of a K = 6 plan against the plain backbone with a temporal shift.

    python benchmarks/training_speed.py [--backbone resnet50] [--batch 4] [--frames 8] [--image-size 112] [--repeats 5]

Same batch, same settings; both networks shift at every residual block, and one of them has a single head at the
end. Prints median seconds per step and their ratio (goal: at most 1.10). On a GPU in bf16 and channels_last.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import torch

from dynsearch.families import build_network
from dynsearch.plan import ExitPlacement, FrameOrder, Plan
from dynsearch.training import TrainingConfig
from dynsearch.training.device import pick_device
from dynsearch.training.stepper import Stepper


def main() -> None:
    """Print seconds per step of both networks and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--frames", type=int, default=8, help="a multiple of 8")
    parser.add_argument("--image-size", type=int, default=112)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device = pick_device()
    config = TrainingConfig(compile=arguments.compile)
    clips = torch.randn(
        arguments.batch, arguments.frames, 3, arguments.image_size, arguments.image_size, device=device
    )
    labels = torch.randint(0, 174, (arguments.batch,), device=device)
    steppers = {}
    for name, exits in {"one exit": "8x5", "six exits": "2x1 3x2 4x3 4x4 4x5 8x5"}.items():
        torch.manual_seed(0)
        order = FrameOrder.named("paper", 8)
        placement = ExitPlacement.of(*exits.split())
        plan = Plan(arguments.backbone, arguments.frames, order, placement, image_size=arguments.image_size)
        steppers[name] = Stepper(build_network(plan, 174, dropout=config.dropout), config, device)
        steppers[name].begin_epoch()
    times: dict[str, list[float]] = {name: [] for name in steppers}
    for turn in range(arguments.repeats + 1):
        for name, stepper in steppers.items():  # In turn, so that both meet the same disturbances.
            started = time.perf_counter()
            stepper.step(clips, labels, 0.01)  # Ends by reading the loss, so the device is done.
            if turn:
                times[name].append(time.perf_counter() - started)
    seconds = {name: statistics.median(values) for name, values in times.items()}
    ratio = seconds["six exits"] / seconds["one exit"]
    for name, value in seconds.items():
        print(f"{name:10s} {value:.3f} s a step")
    print(f"six exits take {ratio:.3f} x the time of one")
    print(json.dumps({"seconds": seconds, "ratio": round(ratio, 3), "device": device.type}))


if __name__ == "__main__":
    main()
