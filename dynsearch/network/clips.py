"""What clips a network takes."""

import torch

from dynsearch.errors import PlanError
from dynsearch.plan import Plan


def check_clips(clips_BTCHW: torch.Tensor, plan: Plan) -> None:
    """Refuse clips that the plan was not made for.

    Raises:
        PlanError: They have another number of axes or frames.
    """
    if clips_BTCHW.ndim != 5 or clips_BTCHW.shape[1] != plan.num_frames:
        raise PlanError(f"clips must be (B, T={plan.num_frames}, C, H, W), got {tuple(clips_BTCHW.shape)}")
