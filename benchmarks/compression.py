"""Selective feature compression against 30 views of each video, on the same weights.

    python benchmarks/compression.py STUDY [--videos N] [--data-root FOLDER]
    python benchmarks/compression.py --backbone resnet50 --frames 32 --time-ratio 4 --split 4

For every trial of family sfc in a finished study: its base network (the one whose weights head and tail are) answers
from the mean over 10 clips x 3 crops, the compressed network from one pass over the whole video. Printed are top-1 on
test with the paired interval of the difference, and multiply-accumulates, time and memory of the 30 views over those
of the compressed network. Time is CPU time in the networks alone, the 30 views in one batch, medians in turn; memory
is the peak of live tensors, clips included. With --backbone no study is needed: weights are random, which changes
neither time nor memory, and there is no top-1.

The paper (Liu et al., ICCV 2021) reports 6 to 7 times less time and 5 to 6 times less memory at no loss of top-1, for
3D networks on Kinetics-400.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from views import score_views, views_of  # the file beside this one

from dynsearch.families import build_network
from dynsearch.families.sfc import CompressionOptions
from dynsearch.frontier import bootstrap_difference
from dynsearch.network.backbone.stages import backbone_stages
from dynsearch.network.weights.files import load_weights
from dynsearch.plan import ExitPlacement, FrameOrder, Plan, TemporalShift
from dynsearch.scores import ExitScores
from dynsearch.study.folder import StudyFolder
from dynsearch.study.record import finished, open_record, plan_of
from dynsearch.study.source import open_clips
from dynsearch.training.source import TEST_RESIZE


def peak_bytes(network: Any, clips: torch.Tensor) -> int:
    """Return the most bytes of live tensors while ``network`` runs on ``clips``, these included."""
    with torch.inference_mode(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        network(clips)
    events = [event for event in seen.profiler.kineto_results.events() if event.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    return clips.nbytes + max(itertools.accumulate(event.nbytes() for event in events))


def seconds(networks: dict[str, tuple[Any, torch.Tensor]], repeats: int) -> dict[str, float]:
    """Return the median CPU seconds of each network on its clips, measured in turn after one pass to warm up."""
    times: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(repeats + 1):
        for name, (network, clips) in networks.items():
            started = time.process_time()
            with torch.inference_mode():
                network(clips)
            times[name].append(time.process_time() - started)
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def spent(base: Any, network: Any, views: torch.Tensor, video: torch.Tensor, repeats: int) -> dict[str, Any]:
    """Return what ``base`` on all ``views`` of a video costs over what ``network`` on ``video`` does."""
    pairs = {"views": (base, views), "compressed": (network, video)}
    cpu = seconds(pairs, repeats)
    memory = {name: peak_bytes(*pair) for name, pair in pairs.items()}
    return {
        "views": len(views),
        "macs_ratio": len(views) * base.cost_E[-1] / network.cost_E[-1],
        "time_ratio": cpu["views"] / cpu["compressed"],
        "memory_ratio": memory["views"] / memory["compressed"],
        "gmacs": {"views": len(views) * base.cost_E[-1], "compressed": network.cost_E[-1]},
        "seconds": cpu,
        "megabytes": {name: value / 1e6 for name, value in memory.items()},
    }


def views_for(source: Any, plan: Plan, **views: int) -> Iterator[torch.Tensor]:
    """Yield the views of every test video, uncached, for ``plan``."""
    size = plan.image_size
    return views_of(
        source.dataset.splits["test"],
        num_frames=plan.num_frames,
        image_size=size,
        short_side=round(size * TEST_RESIZE),
        **views,
    )


def compared(folder: StudyFolder, trial: Any, source: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Return what one trial's network and 30 views of its base have cost and achieved."""
    plan, home = plan_of(trial), folder.trial(trial.number)
    network = build_network(plan, source.num_classes).eval()
    load_weights(network, home / "weights.safetensors")
    base = build_network(network.base.plan, source.num_classes).eval()
    base.load_state_dict(network.base.state_dict())
    own = ExitScores.load(home / "scores-test.npz")
    count = options.videos or own.num_videos
    views = {"num_clips": options.clips, "num_crops": options.crops}
    videos = itertools.islice(views_for(source, base.plan, **views), count)
    dense = score_views(
        base,
        videos,
        own.labels_N[:count],
        video_ids=own.video_ids_N[:count],
        split="test",
        device=torch.device("cpu"),
    )
    many, single = dense.correct()[0], own.correct()[-1, :count]
    low, high = bootstrap_difference(single, many)
    costs = spent(
        base,
        network,
        next(views_for(source, base.plan, **views)),
        next(views_for(source, plan, num_clips=1, num_crops=1)),
        options.repeats,
    )
    return {
        "trial": trial.number,
        "plan": str(plan),
        "videos": count,
        "top1_compressed": float(single.mean()),
        "top1_views": float(many.mean()),
        "difference_low": low,
        "difference_high": high,
        **costs,
    }


def untrained(options: argparse.Namespace) -> dict[str, Any]:
    """Return the costs of a network with random weights that sees ``options.frames`` frames."""
    frames = options.frames
    plan = Plan(
        options.backbone,
        frames,
        FrameOrder.named("sequential", frames),
        ExitPlacement.of(f"{frames}x{len(backbone_stages(options.backbone, options.image_size, None))}"),
        family="sfc",
        options=CompressionOptions(options.split, options.time_ratio, options.side_ratio),
        image_size=options.image_size,
        temporal_shift=TemporalShift(options.shift),
    )
    network = build_network(plan, 400).eval()
    base = build_network(network.base.plan, 400).eval()
    size = options.image_size
    views = torch.rand(options.clips * options.crops, base.plan.num_frames, 3, size, size)
    return {
        "plan": str(plan),
        **spent(base, network, views, torch.rand(1, frames, 3, size, size), options.repeats),
    }


def said(row: dict[str, Any]) -> str:
    """Return one network's figures in lines."""
    text = f"{row['plan']}\n"
    if "top1_views" in row:
        low, high = 100 * row["difference_low"], 100 * row["difference_high"]
        text = (
            f"trial {row['trial']}: {text}"
            f"  top-1 {100 * row['top1_compressed']:.1f}%, {row['views']} views {100 * row['top1_views']:.1f}% "
            f"on {row['videos']} videos (difference {low:+.1f} to {high:+.1f})\n"
        )
    cost, cpu, size = row["gmacs"], row["seconds"], row["megabytes"]
    return text + (
        f"  GFLOPs  {row['views']} views {cost['views']:.4g}, compressed {cost['compressed']:.4g}: "
        f"{row['macs_ratio']:.1f} times\n"
        f"  CPU s   {row['views']} views {cpu['views']:.4g}, compressed {cpu['compressed']:.4g}: "
        f"{row['time_ratio']:.1f} times\n"
        f"  memory  {row['views']} views {size['views']:.0f} MB, compressed {size['compressed']:.0f} MB: "
        f"{row['memory_ratio']:.1f} times"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", nargs="?")
    parser.add_argument("--clips", type=int, default=10)
    parser.add_argument("--crops", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--videos", type=int, help="Only the first test videos.")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--studies", type=Path, default=Path("studies"))
    parser.add_argument("--backbone", help="Without a study: a network of random weights on this backbone.")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--frames", type=int, default=32, help="That the compressed network sees.")
    parser.add_argument("--split", type=int, default=4, help="Stages in the head.")
    parser.add_argument("--time-ratio", type=int, default=4)
    parser.add_argument("--side-ratio", type=int, default=1)
    parser.add_argument("--shift", default="bidirectional")
    parser.add_argument("--json", type=Path, help="Also write the results to this file.")
    options = parser.parse_args()
    if (options.study is None) == (options.backbone is None):
        parser.error("give a study or --backbone")
    if options.backbone:
        rows = [untrained(options)]
    else:
        folder = StudyFolder.existing(options.study, options.studies)
        source = open_clips(folder.recipe(), options.data_root)
        rows = [
            compared(folder, trial, source, options)
            for trial in finished(open_record(folder))
            if plan_of(trial).family == "sfc"
        ]
    print("\n".join(map(said, rows)) or "The study has no finished trial of family sfc.")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
