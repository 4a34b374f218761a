"""Batch normalisation for one frame order: its statistics taken anew, without labels."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@torch.no_grad()
def reestimate_norms(
    network: nn.Module, run: Callable[[torch.Tensor], Any], batches: Iterable[Any], num_batches: int
) -> None:
    """Set the statistics of all batch normalisations in ``network`` to their mean over some batches.

    A one-shot network's own are a mixture over all the orders it was trained under, and right for none
    (Yu & Huang, ICCV 2019, section 3.3).

    Args:
        network: Left in evaluation mode.
        run: Runs the network on clips, under the order in question.
        batches: Batches of (clips, labels, indices) of the training split; labels are not looked at.
        num_batches: How many of them to take; with 0 everything stays.
    """
    network.eval()
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    if not norms or num_batches == 0:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # A plain mean over the batches.
        norm.train()
    for clips, _, _ in itertools.islice(batches, num_batches):
        run(clips)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()
