"""Dynamic inference over a split, for real: every video stops where its policy says."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from dynsearch.export.loaded import LoadedNetwork
from dynsearch.scores.metrics import METRICS


@dataclass(frozen=True)
class Evaluation:
    """What dynamic inference achieved on a split.

    Attributes:
        num_videos: N.
        top1: Share of right answers, 0..1.
        metrics: Further metrics by name, for instance ``top5`` or ``map``, 0..1.
        gflops: Mean GFLOPs (10^9 multiply-accumulates) per video.
        exit_share: Share of videos that stopped at each exit.
        full_gflops: GFLOPs per video if none had stopped early.
        seconds: Time in the network; reading the videos is not counted.
    """

    num_videos: int
    top1: float
    metrics: dict[str, float]
    gflops: float
    exit_share: tuple[float, ...]
    full_gflops: float
    seconds: float


def evaluate(
    loaded: LoadedNetwork,
    loader: Iterable[tuple[torch.Tensor, torch.Tensor, torch.Tensor]],
    metrics: Iterable[str] = (),
) -> Evaluation:
    """Run every clip of ``loader`` until its exit is sure enough.

    Args:
        loaded: The network with its policy.
        loader: Batches of (clips (B, T, C, H, W), labels (B,) or 0/1 (B, K), indices (B,)).
        metrics: Names of further metrics, keys of ``scores.metrics.METRICS``.
    """
    exits, answers, truth, seconds = [], [], [], 0.0
    for clips, labels, _ in loader:
        clips = clips.to(loaded.device)
        started = time.perf_counter()
        result = loaded.network.forward_until(clips, loaded.bundle.policy)
        if loaded.device.type == "cuda":
            torch.cuda.synchronize()
        seconds += time.perf_counter() - started
        exits.append(result.exit)
        answers.append(result.logits.float().cpu().numpy())
        truth.append(labels.numpy())
    exit_N, logits_NK, truth_N = np.concatenate(exits), np.concatenate(answers), np.concatenate(truth)
    gmacs_E = np.asarray(loaded.network.gmacs_E)
    share_E = np.bincount(exit_N, minlength=len(gmacs_E)) / len(exit_N)
    return Evaluation(
        num_videos=len(exit_N),
        top1=METRICS["top1"](logits_NK, truth_N),
        metrics={name: METRICS[name](logits_NK, truth_N) for name in metrics if name != "top1"},
        gflops=float(share_E @ gmacs_E),
        exit_share=tuple(share_E.tolist()),
        full_gflops=float(gmacs_E[-1]),
        seconds=seconds,
    )
