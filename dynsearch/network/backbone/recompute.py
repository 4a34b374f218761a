"""Activation checkpointing: activations are computed again for the backward pass instead of kept."""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from dynsearch.network.backbone.layout import State


def run_recomputed(run: Callable[[nn.Module, State], State], model: nn.Module, state: State) -> State:
    """Return ``run(model, state)``, keeping only its input for the backward pass.

    Gradients, random numbers and batch statistics are those of a plain run.
    """
    return checkpoint(
        run,
        model,
        state,
        use_reentrant=False,
        context_fn=lambda: (contextlib.nullcontext(), _statistics_kept(model)),
    )


@contextlib.contextmanager
def _statistics_kept(model: nn.Module) -> Iterator[None]:
    """Batch normalisation updates its running statistics in the first run only."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    before = [(norm.momentum, _copy(norm.num_batches_tracked)) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum = momentum
            if norm.num_batches_tracked is not None and count is not None:
                norm.num_batches_tracked.copy_(count)


def _copy(count: torch.Tensor | None) -> torch.Tensor | None:
    return None if count is None else count.clone()
