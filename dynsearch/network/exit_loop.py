"""Going from exit to exit: the videos that are sure enough leave, the others go on. The same for every family."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch

from dynsearch.measures import COUNTED, CostMeasure
from dynsearch.network.clips import check_clips
from dynsearch.network.progress import ProgressiveResult
from dynsearch.plan import Plan
from dynsearch.thresholds import ExitPolicy


class ExitPass(ABC):
    """What has been computed for the videos still running.

    Attributes:
        clips_BTCHW: Their clips.
    """

    def __init__(self, clips_BTCHW: torch.Tensor) -> None:
        self.clips_BTCHW = clips_BTCHW

    @abstractmethod
    def logits_at(self, k: int) -> torch.Tensor:
        """Return the logits (B, K) of exit ``k`` for the B videos still running, computing what is missing."""

    @abstractmethod
    def keep(self, rows: torch.Tensor) -> None:
        """Drop every video but those at the positions ``rows``."""

    def end(self) -> None:  # noqa: B027  # Most have nothing to forget.
        """Forget what the network itself keeps from exit to exit."""


def run_exits(
    exit_pass: ExitPass,
    plan: Plan,
    cost_E: tuple[float, ...],
    policy: ExitPolicy,
    measure: CostMeasure = COUNTED,
) -> ProgressiveResult:
    """Run from exit to exit under ``policy`` (paper section 3.2, C_k: max s_k > T_k).

    Args:
        exit_pass: Just begun.
        plan: Of the network that runs.
        cost_E: Its cumulative cost per video at each exit, empty if unknown.
        policy: Confidence measure and thresholds.
        measure: What the costs are in.

    Raises:
        PlanError: The clips have another shape than the plan.
        PolicyError: The policy is for another number of exits or another plan.
    """
    check_clips(exit_pass.clips_BTCHW, plan)
    policy.check_fits(len(plan.exits), plan.plan_id)
    num_exits, num_videos = len(plan.exits), len(exit_pass.clips_BTCHW)
    walk = policy.walk(num_videos)
    logits_BK = torch.empty(0)
    for k in range(num_exits):
        logits = exit_pass.logits_at(k)
        device, logits = logits.device, logits.float().cpu()
        if k == 0:
            logits_BK = torch.empty_like(logits)
        met = walk.running
        stops = walk.meet(logits.numpy())
        logits_BK[met[stops]] = logits[torch.from_numpy(stops)]
        if stops.all():
            break
        if stops.any():
            exit_pass.keep(torch.from_numpy(np.flatnonzero(~stops)).to(device))
    cost = np.asarray(cost_E)[walk.exits] if cost_E else np.full(num_videos, np.nan)
    return ProgressiveResult(logits_BK, walk.exits, cost, measure)
