"""Going from exit to exit: the videos that are sure enough leave, the others go on. The same for every family."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch

from dynsearch.network.progress import ProgressiveResult
from dynsearch.scores.confidence import confidence_from_logits
from dynsearch.thresholds import ExitPolicy


class ExitPass(Protocol):
    """What has been computed for the videos still running."""

    def logits_at(self, k: int) -> torch.Tensor:
        """Return the logits (B, K) of exit ``k`` for the B videos still running, computing what is missing."""

    def keep(self, rows: torch.Tensor) -> None:
        """Drop every video but those at the positions ``rows``."""


def run_exits(
    exit_pass: ExitPass, num_videos: int, policy: ExitPolicy, gmacs_E: tuple[float, ...]
) -> ProgressiveResult:
    """Run from exit to exit under ``policy`` (paper section 3.2, C_k: max s_k > T_k).

    Args:
        exit_pass: Just begun.
        num_videos: Videos in the batch.
        policy: Confidence measure and thresholds.
        gmacs_E: Cumulative GFLOPs at each exit, empty if unknown.
    """
    num_exits = len(policy.thresholds)
    running = np.arange(num_videos)
    exit_B = np.full(num_videos, num_exits - 1)
    logits_BK = torch.empty(0)
    seen = np.empty((0, num_videos))  # by exit met, what each running video's confidence is made of
    for k in range(num_exits):
        logits = exit_pass.logits_at(k)
        device, logits = logits.device, logits.float().cpu()
        if k == 0:
            logits_BK = torch.empty_like(logits)
        stops = np.ones(len(running), dtype=bool)
        if k < num_exits - 1:
            seen = np.vstack([seen, confidence_from_logits(policy.measure, logits.numpy())])
            stops = policy.confidence_at(seen) > policy.thresholds[k]
        logits_BK[running[stops]] = logits[torch.from_numpy(stops)]
        exit_B[running[stops]] = k
        if stops.all():
            break
        if stops.any():
            rows = np.flatnonzero(~stops)
            running, seen = running[rows], seen[:, rows]
            exit_pass.keep(torch.from_numpy(rows).to(device))
    gmacs = np.asarray(gmacs_E)[exit_B] if gmacs_E else np.full(num_videos, np.nan)
    return ProgressiveResult(logits_BK, exit_B, gmacs)
