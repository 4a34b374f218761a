"""Frames made smaller for the global network."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def resize_frames(frames_BTCHW: torch.Tensor, size: int | None) -> torch.Tensor:
    """Return the frames with sides of ``size`` pixels; None leaves them as they are."""
    if size is None:
        return frames_BTCHW
    small = F.interpolate(frames_BTCHW.flatten(0, 1), [size, size], mode="bilinear", antialias=True)
    return small.unflatten(0, frames_BTCHW.shape[:2])
