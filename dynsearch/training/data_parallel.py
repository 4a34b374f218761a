"""One network trained by several processes, each on batches of its own."""

import torch
from timm.layers.norm_act import convert_sync_batchnorm
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from dynsearch.errors import InputError


def in_parallel(network: nn.Module, device: torch.device) -> DistributedDataParallel:
    """Return ``network`` so that a backward pass gives the mean of all processes' gradients.

    Exits that a step leaves out get no gradient in it, as in one process. Statistics of batch normalisation are
    those of the first process's batches.
    """
    return DistributedDataParallel(
        network,
        device_ids=[torch.cuda.current_device()] if device.type == "cuda" else None,
        gradient_as_bucket_view=True,
        find_unused_parameters=True,
    )


def with_synchronised_norms(network: nn.Module, device: torch.device) -> None:
    """Let batch normalisation use the batches of all processes, in place; InputError on CPUs, where it can't be."""
    if device.type != "cuda":
        raise InputError(
            "needs GPUs", where="training.sync_batch_norm", hint="Set it to false to train on CPUs"
        )
    convert_norms(network)


def convert_norms(network: nn.Module) -> None:
    """Replace batch normalisations by synchronised ones that keep names, weights, activations and hooks."""
    hooks = {name: module._forward_pre_hooks for name, module in network.named_modules()}
    convert_sync_batchnorm(network)
    for name, module in network.named_modules():
        module._forward_pre_hooks = hooks[name]
