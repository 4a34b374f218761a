"""Selective feature compression against 30 views of each video, on the same weights.

    python benchmarks/compression.py STUDY [--clips 10] [--crops 3] [--videos N] [--repeats 20] [--data-root FOLDER]

For every trial of family sfc in a finished study: its base network (the one whose weights head and tail are) answers
from the mean over 10 clips x 3 crops, the compressed network from one pass over the whole video. Printed are top-1 on
test with the paired interval of the difference, and multiply-accumulates, time and memory of the 30 views over those
of the compressed network. Time is that of the networks alone, the 30 views in one batch, medians in turn; memory is
the peak of live tensors, clips included.

The paper (Liu et al., ICCV 2021) reports 6 to 7 times less time and 5 to 6 times less memory at no loss of top-1, for
3D networks on Kinetics-400.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from dynsearch.cost import build_network
from dynsearch.frontier import bootstrap_difference
from dynsearch.scores import ExitScores
from dynsearch.search.folder import StudyFolder
from dynsearch.search.record import finished, open_record, plan_of
from dynsearch.search.source import open_clips
from dynsearch.training.views import score_views
from dynsearch.training.weights import load_weights


def peak_bytes(network: Any, clips: torch.Tensor) -> int:
    """Return the most bytes of live tensors while ``network`` runs on ``clips``, these included."""
    with torch.inference_mode(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        network(clips)
    events = [event for event in seen.profiler.kineto_results.events() if event.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    return clips.nbytes + max(itertools.accumulate(event.nbytes() for event in events))


def seconds(networks: dict[str, tuple[Any, torch.Tensor]], repeats: int) -> dict[str, float]:
    """Return the median time of each network on its clips, measured in turn."""
    times: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(repeats + 2):
        for name, (network, clips) in networks.items():
            started = time.perf_counter()
            with torch.inference_mode():
                network(clips)
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values[2:]) for name, values in times.items()}


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
    videos = itertools.islice(source.views("test", base.plan, **views), count)
    dense = score_views(
        base,
        videos,
        own.labels_N[:count],
        video_ids=own.video_ids_N[:count],
        split="test",
        device=torch.device("cpu"),
    )
    many, single = dense.correct()[0], own.correct()[-1, :count]
    clips = {
        "views": (base, next(source.views("test", base.plan, **views))),
        "compressed": (network, next(source.views("test", plan, num_clips=1, num_crops=1))),
    }
    spent = seconds(clips, options.repeats)
    memory = {name: peak_bytes(*pair) for name, pair in clips.items()}
    low, high = bootstrap_difference(single, many)
    return {
        "trial": trial.number,
        "plan": str(plan),
        "videos": count,
        "top1_compressed": float(single.mean()),
        "top1_views": float(many.mean()),
        "difference_low": low,
        "difference_high": high,
        "macs_ratio": float(dense.gmacs_E[0] / own.gmacs_E[-1]),
        "time_ratio": spent["views"] / spent["compressed"],
        "memory_ratio": memory["views"] / memory["compressed"],
        "seconds": spent,
        "megabytes": {name: value / 1e6 for name, value in memory.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study")
    parser.add_argument("--clips", type=int, default=10)
    parser.add_argument("--crops", type=int, default=3)
    parser.add_argument("--videos", type=int, help="Only the first test videos.")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--studies", type=Path, default=Path("studies"))
    parser.add_argument("--json", type=Path, help="Also write the results to this file.")
    options = parser.parse_args()
    folder = StudyFolder.existing(options.study, options.studies)
    source = open_clips(folder.recipe(), options.data_root)
    rows = [
        compared(folder, trial, source, options)
        for trial in finished(open_record(folder))
        if plan_of(trial).family == "sfc"
    ]
    for row in rows:
        low, high = 100 * row["difference_low"], 100 * row["difference_high"]
        print(
            f"trial {row['trial']}: {row['plan']}\n"
            f"  top-1 {100 * row['top1_compressed']:.1f}%, {options.clips * options.crops} views "
            f"{100 * row['top1_views']:.1f}% on {row['videos']} videos (difference {low:+.1f} to {high:+.1f})\n"
            f"  views over compressed: {row['macs_ratio']:.1f} x multiply-accumulates, {row['time_ratio']:.1f} x time, "
            f"{row['memory_ratio']:.1f} x memory"
        )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
