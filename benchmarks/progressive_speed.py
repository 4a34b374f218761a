"""Whether stopping early saves time as it saves multiply-accumulates.

    python benchmarks/progressive_speed.py [--plans resnet50 msdnet38] [--batches 1 8] [--repeats 5] [--threads N]

Same run, same random weights, 16 frames. For each plan and batch size it prints, for exit shares that spend 75, 50
and 25% of the full multiply-accumulates, wall time of progressive inference over wall time of full dense inference,
divided by the ratio of multiply-accumulates (1.00: time falls as the computing does; the goal is at most 1.10). With
no early stop it prints progressive time over that of the same backbone and shifts with one exit (goal: 1.03). Peak
memory is that of a fresh process (CPU) or of the allocator (GPU), as progressive over dense.

On a GPU the networks run in bf16 and channels_last, and with --compile compiled; on a CPU in float32.
Modes are timed in turn, and medians over the repeats are compared.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from dynsearch.families import build_network
from dynsearch.plan import ExitPlacement, FrameOrder, Plan
from dynsearch.scores.confidence import confidence_from_logits
from dynsearch.thresholds import ExitPolicy
from dynsearch.training.device import autocast, pick_device

EXITS = {
    "resnet50": ("1x4", "2x4", "4x4", "4x5", "6x5", "8x5"),
    "msdnet38": ("1x3", "2x3", "4x3", "4x5", "6x5", "8x5"),
}
TARGETS = (0.75, 0.5, 0.25)
INFINITY = float("inf")


def plan_of(backbone: str, image_size: int, *exits: str) -> Plan:
    """Return a plan of 16 frames in the paper's order, with the online shift."""
    order = FrameOrder.named("paper", 8)
    return Plan(backbone, 16, order, ExitPlacement.of(*exits), image_size=image_size)


def share_for(cost_E: np.ndarray, target: float) -> np.ndarray:
    """Return the geometric exit shares q^k whose mean cost is ``target`` of the last exit's."""
    low, high = -20.0, 20.0
    for _ in range(100):
        middle = (low + high) / 2
        share = np.exp(middle * np.arange(len(cost_E)))
        share /= share.sum()
        low, high = (middle, high) if share @ cost_E < target * cost_E[-1] else (low, middle)
    return share


def confidences(network: torch.nn.Module, clips: torch.Tensor) -> np.ndarray:
    """Return the confidence of every exit in every clip, (E, N)."""
    with torch.inference_mode():
        logits_ENK = torch.cat([network(clip[None]) for clip in clips], dim=1).float().cpu().numpy()
    return np.stack([confidence_from_logits("max-softmax", logits) for logits in logits_ENK])


def policy_for(network: torch.nn.Module, confidence_EN: np.ndarray, target: float) -> ExitPolicy:
    """Return thresholds under which clips of these confidences leave in the shares that spend ``target``."""
    num_clips = confidence_EN.shape[1]
    ends = np.cumsum(share_for(np.asarray(network.cost_E), target)) * num_clips
    running = np.arange(num_clips)
    thresholds = []
    for k, confidence_N in enumerate(confidence_EN[:-1]):
        ranked = running[np.argsort(-confidence_N[running])]
        count = max(round(ends[k]) - (num_clips - len(running)), 0)
        inside, outside = ranked[:count], ranked[count:]
        high = confidence_N[inside[-1]] if count else INFINITY
        low = confidence_N[outside[0]] if len(outside) else -INFINITY
        thresholds.append(
            float(np.mean([high, low])) if np.isfinite([high, low]).all() else (high if not count else -1.0)
        )
        running = outside
    return ExitPolicy((*thresholds, -INFINITY))


def in_batches(run: Callable[[torch.Tensor], object], clips: torch.Tensor, batch: int) -> Callable[[], list]:
    """Return a function that calls ``run`` on all clips, ``batch`` at a time."""
    return lambda: [run(part) for part in clips.split(batch)]


def seconds_of(
    modes: dict[str, Callable[[], object]], repeats: int, device: torch.device
) -> dict[str, float]:
    """Return median seconds of each mode; the modes take turns."""
    times: dict[str, list[float]] = {name: [] for name in modes}
    for turn in range(repeats + 1):
        for name, run in modes.items():
            if device.type == "cuda":
                torch.cuda.synchronize()
            started = time.perf_counter()
            run()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if turn:  # The first turn warms up.
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in times.items()}


def measure(backbone: str, batch: int, arguments: argparse.Namespace) -> list[dict[str, float | str]]:
    """Return one row per share of one plan at one batch size."""
    device = pick_device()
    torch.manual_seed(0)
    plan = plan_of(backbone, arguments.image_size, *EXITS[backbone])
    network = _ready(build_network(plan, 400), device, arguments.compile)
    plain = _ready(
        build_network(plan_of(backbone, arguments.image_size, "8x5"), 400), device, arguments.compile
    )
    clips = torch.randn(max(8, batch), 16, 3, arguments.image_size, arguments.image_size, device=device)
    with torch.inference_mode(), autocast(torch.bfloat16 if device.type == "cuda" else None, device):
        confidence_EN = confidences(network, clips)
        policies = {target: policy_for(network, confidence_EN, target) for target in TARGETS}
        policies[1.0] = ExitPolicy((*[INFINITY] * (len(plan.exits) - 1), -INFINITY))
        modes: dict[str, Callable[[], object]] = {
            "plain": in_batches(plain, clips, batch),
            "dense": in_batches(network, clips, batch),
        }
        for target, policy in policies.items():
            modes[str(target)] = in_batches(lambda x, p=policy: network.forward_until(x, p), clips, batch)
        seconds = seconds_of(modes, arguments.repeats, device)
        spent = {
            target: float(np.mean([network.forward_until(x, policy).cost.mean() for x in clips.split(batch)]))
            for target, policy in policies.items()
        }
    memory = {
        name: _peak_memory(backbone, batch, arguments.image_size, name) for name in ("dense", "progressive")
    }
    rows: list[dict[str, float | str]] = []
    for target, cost in spent.items():
        macs = cost / network.cost_E[-1]
        time_ratio = seconds[str(target)] / seconds["dense"]
        rows.append(
            {
                "plan": backbone, "batch": batch, "macs": round(macs, 3), "time": round(time_ratio, 3),
                "time_over_macs": round(time_ratio / macs, 3),
                "over_plain": round(seconds[str(target)] / seconds["plain"], 3),
                "peak_memory": round(memory["progressive"] / memory["dense"], 3),
            }
        )  # fmt: skip
    return rows


def _ready(network: torch.nn.Module, device: torch.device, compiled: bool) -> torch.nn.Module:
    network = network.eval().to(device=device, memory_format=torch.channels_last)
    for head in network.heads:  # Far enough from zero for confidences to differ between clips.
        torch.nn.init.normal_(head.linear.weight)
    if compiled:
        network.backbone.forward_stage = torch.compile(network.backbone.forward_stage, dynamic=True)
    return network


def _peak_memory(backbone: str, batch: int, image_size: int, mode: str) -> float:
    """Return the peak memory in bytes of one batch without an early stop, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return float(pool.apply(_run_once, (backbone, batch, image_size, mode)))


def _run_once(backbone: str, batch: int, image_size: int, mode: str) -> int:
    device = pick_device()
    network = _ready(build_network(plan_of(backbone, image_size, *EXITS[backbone]), 400), device, False)
    clips = torch.randn(batch, 16, 3, image_size, image_size, device=device)
    policy = ExitPolicy((*[INFINITY] * (len(EXITS[backbone]) - 1), -INFINITY))
    with torch.inference_mode():
        network.forward_until(clips, policy) if mode == "progressive" else network(clips)
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(argv: Sequence[str] | None = None) -> None:
    """Print a table, and the same as one line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plans", nargs="+", choices=sorted(EXITS), default=list(EXITS))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads")
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    rows = [row for b in arguments.plans for n in arguments.batches for row in measure(b, n, arguments)]
    print("  ".join(f"{key:>14s}" for key in rows[0]))
    for row in rows:
        print("  ".join(f"{value!s:>14s}" for value in row.values()))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
