"""What a network starts from when there are no weights to start from."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def wake_residual_branches(network: nn.Module) -> None:
    """Set to one the scales of normalisation layers that were initialised to zero.

    timm starts the last normalisation of every residual branch at zero, which helps long schedules on images.
    A temporal shift acts inside these branches only, so that a network trained from scratch would at first
    see single frames, and learn movements late.
    """
    for module in network.modules():
        scale = getattr(module, "weight", None)
        if isinstance(module, nn.BatchNorm2d) and scale is not None and not scale.any():
            scale.fill_(1.0)
