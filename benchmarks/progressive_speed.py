"""Whether stopping early saves time as it saves multiply-accumulates, in every runtime.

    python benchmarks/progressive_speed.py --output benchmarks/results/progressive_cpu.json     five minutes, two cores
    python benchmarks/progressive_speed.py --plans resnet50 --runtimes graphs eager --videos 1 8 32 128 \
        --output benchmarks/results/progressive_gpu.json                                        a GPU
    python benchmarks/progressive_speed.py --only plan=msdnet38 waiting=true --output FILE      one row, into FILE

Random weights, 16 frames of 224 px. For each plan, runtime and number of videos at a time, one row for no stops and for
exit shares that spend 75, 50 and 25% of the full multiply-accumulates: wall time of progressive inference over that of
dense inference in the same runtime (``time_ratio``), and that over the share of multiply-accumulates (``ratio``; 1.00:
time falls as the computing does). ``waiting`` rows are of many videos; those that go on wait for a full batch.

Float32. Dense and every share take turns batch by batch, so that what else the machine does falls on all; medians over
the repeats. A share's thresholds lie between the confidences of the same clips. Exits 1 if a row misses its goal.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from dynsearch.families import build_network
from dynsearch.network import MultiExitNetwork
from dynsearch.network.runtimes import RUNTIMES, runtime_for
from dynsearch.network.waiting import Waiting, every_exit
from dynsearch.plan import ExitPlacement, FrameOrder, Plan
from dynsearch.scores.confidence import confidence_from_logits
from dynsearch.thresholds import ExitPolicy
from dynsearch.training.device import pick_device

EXITS = {
    "resnet50": ("1x4", "2x4", "4x4", "4x5", "6x5", "8x5"),
    "msdnet38": ("1x3", "2x3", "4x3", "4x5", "6x5", "8x5"),
}
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


class Dense(torch.nn.Module):
    """All frames and stages at once, as a network of one step, so that a runtime treats it as it does the others."""

    def __init__(self, network: MultiExitNetwork) -> None:
        super().__init__()
        self.network, self.plan = network, network.plan

    def frames_at(self, k: int) -> range:
        """Return all frames."""
        return range(self.plan.num_frames)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Return the logits of all exits."""
        return self.network(clips)

    def step(self, k: int, frames: torch.Tensor, kept: dict) -> tuple[torch.Tensor, dict]:
        """Return the last exit's logits."""
        return self(frames)[-1], {}


def goal(device: str, videos: int, waiting: bool, macs: float) -> float:
    """Return what a row's ratio may be at most."""
    if device == "cpu":
        return 1.05 if waiting else 1.03 if macs == 1 else 1.10
    few = {1: 1.5, 8: 1.15} if macs == 1 else {1: 1.3}
    return few.get(videos, 1.10 if macs == 1 else 1.15)


def rows_of(
    backbone: str, name: str, videos: int, waiting: bool, arguments: argparse.Namespace
) -> list[dict]:
    """Return one row per share of one plan in one runtime."""
    device = pick_device()
    torch.manual_seed(0)
    network = build_network(plan_of(backbone, arguments.image_size, *EXITS[backbone]), 400)
    for head in network.heads:  # Far enough from zero for confidences to differ between clips.
        torch.nn.init.normal_(head.linear.weight)
    network = network.eval().to(device=device, memory_format=torch.channels_last)
    _, steps = runtime_for(name, network, print)
    _, dense = runtime_for(name, Dense(network).eval(), print)
    count = max(arguments.many, 2 * videos) if waiting else max(8, videos)
    clips = torch.randn(count, 16, 3, arguments.image_size, arguments.image_size)
    confidence_EN = confidences(network, clips.to(device))
    never = ExitPolicy.never_early(len(network.plan.exits))
    policies = {
        target: policy_for(network, confidence_EN, target) for target in arguments.shares if target < 1
    }
    policies |= {1.0: never} if 1.0 in arguments.shares else {}
    lanes: dict[float, Waiting] = {}

    def begin() -> None:
        lanes.update({t: Waiting(network.plan, steps, p, batch=videos) for t, p in policies.items()})

    def progressive(target: float, part: torch.Tensor) -> None:
        if waiting:
            lanes[target].feed(part)
        else:
            network.forward_until(part, policies[target], steps)

    spent: dict[str | float, list[float]] = {key: [] for key in ("dense", *policies)}

    def timed(run: Callable[[], object]) -> float:
        started = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    with torch.inference_mode():
        for turn in range(arguments.repeats + 1):
            begin()
            seconds = dict.fromkeys(spent, 0.0)
            # The first turn warms up: every size of batch that comes later has to be met.
            for part in clips.to(device).split(videos)[: None if turn or name != "eager" else 1]:
                seconds["dense"] += timed(lambda part=part: every_exit(dense, part, 1).cpu())
                for target in policies:
                    seconds[target] += timed(lambda part=part, t=target: progressive(t, part))
            for target in policies if waiting else ():
                seconds[target] += timed(lanes[target].finish)
            for key, value in seconds.items():
                spent[key] += [value] * bool(turn)
    macs = {
        t: float(np.mean(np.asarray(network.cost_E)[p.first_exit(confidence_EN)]))
        for t, p in policies.items()
    }
    rows = []
    for target in policies:
        share = macs[target] / network.cost_E[-1]
        time_ratio = statistics.median(spent[target]) / statistics.median(spent["dense"])
        label = "cpu" if device.type == "cpu" else torch.cuda.get_device_name()
        rows.append(
            {
                "device": label, "plan": backbone, "videos": videos, "waiting": waiting, "runtime": name,
                "mac_share": round(share, 3), "time_ratio": round(time_ratio, 3), "ratio": round(time_ratio / share, 3),
                "goal": goal(device.type, videos, waiting, share),
                "dense_seconds_per_video": round(statistics.median(spent["dense"]) / count, 4),
            }
        )  # fmt: skip
        print("  ".join(f"{value!s:>10s}" for value in rows[-1].values()), flush=True)
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table, write it, and return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plans", nargs="+", choices=sorted(EXITS), default=list(EXITS))
    parser.add_argument("--runtimes", nargs="+", choices=RUNTIMES[1:], default=["eager"])
    parser.add_argument("--videos", nargs="+", type=int, default=[1, 8], help="at a time")
    parser.add_argument("--shares", nargs="+", type=float, default=[1.0, 0.75, 0.5, 0.25])
    parser.add_argument(
        "--waiting", nargs="*", type=int, default=[8], help="batches of which videos wait for full ones"
    )
    parser.add_argument("--many", type=int, default=16, help="videos of the rows with waiting")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads")
    parser.add_argument(
        "--only", nargs="+", metavar="FIELD=VALUE",
        help="rows with these values, as plan=msdnet38 waiting=true; with --output, beside the others there",
    )  # fmt: skip
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    wanted = dict(text.split("=") for text in arguments.only or ())
    rows = []
    for backbone, name in itertools.product(arguments.plans, arguments.runtimes):
        for videos, waiting in (
            *((v, False) for v in arguments.videos),
            *((v, True) for v in arguments.waiting),
        ):
            is_ = {"plan": backbone, "runtime": name, "videos": str(videos), "waiting": str(waiting).lower()}
            if all(is_[field] == value for field, value in wanted.items()):
                fewer = {"shares": [0.5]} if waiting else {}
                rows += rows_of(
                    backbone, name, videos, waiting, argparse.Namespace(**vars(arguments) | fewer)
                )
    if arguments.output and wanted and arguments.output.is_file():
        new = {tuple(row[field] for field in is_) for row in rows}
        rows = [
            r for r in json.loads(arguments.output.read_text()) if tuple(r[f] for f in is_) not in new
        ] + rows
    if arguments.output:
        arguments.output.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")
    missed = [row for row in rows if row["ratio"] > row["goal"]]
    print(f"{len(rows) - len(missed)} of {len(rows)} rows reach their goal")
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())
