"""Multiply-accumulates of a module, counted while it runs."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from dynsearch import compiler

with compiler.not_yet():
    from torch.utils.flop_counter import FlopCounterMode


def count_macs(function: Callable[..., Any], *inputs: Any) -> int:
    """Return the multiply-accumulates of convolutions and matrix products in ``function(*inputs)``."""
    return run_counted(function, *inputs)[0]


def run_counted(function: Callable[..., Any], *inputs: Any) -> tuple[int, Any]:
    """Return the multiply-accumulates of ``function(*inputs)`` and what it returned.

    torch counts a multiply and an add apart, so its figure is halved. On the meta device nothing is
    computed and nothing allocated.
    """
    with compiler.not_yet(), torch.no_grad(), FlopCounterMode(display=False) as counter:
        value = function(*inputs)
    return counter.get_total_flops() // 2, value


def count_parameters(module: nn.Module) -> int:
    """Return the number of parameters of ``module``."""
    return sum(parameter.numel() for parameter in module.parameters())
