"""Multiply-accumulates of a module, counted while it runs."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_macs(module: nn.Module, *inputs: torch.Tensor) -> int:
    """Return the multiply-accumulates of convolutions and matrix products in ``module(*inputs)``.

    torch counts a multiply and an add apart, so its figure is halved. On the meta device nothing is
    computed and nothing allocated.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(*inputs)
    return counter.get_total_flops() // 2


def count_parameters(module: nn.Module) -> int:
    """Return the number of parameters of ``module``."""
    return sum(parameter.numel() for parameter in module.parameters())
