"""Finding the residual branches of any backbone: where the temporal shift goes in.

The shift changes what enters a residual branch and leaves the identity beside it alone (TSM's "residual shift").
For a CNN that is the input of the block's first convolution. In blocks that normalise first, such as those of a
vision transformer, it is the input of that normalisation, whatever the layout: channels of a map, of a
channels-last map or of tokens. A block with two branches in a row (attention, then MLP) is shifted at the first.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from dynsearch.errors import PlanError
from dynsearch.network.backbone.layout import channel_axis
from dynsearch.plan import TemporalShift

_EXCEPTIONS = {"DenseLayer": "norm1", "MSDLayer": "same.scale4.squeeze.conv"}
"""By class, the shifted layer of blocks whose identity is a concatenation instead of a sum.

MSDNet is shifted at its coarsest scale only, where the features enter the convolutions (paper section 4.1)."""

_SUM = re.compile(r"(AddBackward\d*|CopySlices)$")
"""What autograd calls a sum, out of place and into a part of a tensor."""

_SHORTCUT = re.compile(r"downsample|shortcut|skip")


@dataclass(frozen=True)
class Branch:
    """The layer at whose input a residual branch begins.

    Attributes:
        name: Path of the layer in the backbone.
        axis: Axis of the channels of its input.
        channels: How many channels come in.
        block: Path of the block around it.
        block_input: Axis and number of the channels that enter the block; None where it adds no identity to the branch.
    """

    name: str
    axis: int
    channels: int
    block: str = ""
    block_input: tuple[int, int] | None = None


def shifted_places(branches: Sequence[Branch], shift: TemporalShift) -> dict[str, Branch]:
    """Return what ``shift`` shifts: paths of layers, or of blocks, each with its branch.

    Raises:
        PlanError: A block that should be shifted whole has no single input.
    """
    if shift.kind == "none":
        return {}
    places: dict[str, Branch] = {}
    of_stage: Counter[str] = Counter()
    for branch in branches:
        stage = branch.block.rpartition(".")[0]
        if of_stage[stage] % shift.blocks == 0:
            if shift.place == "block" and branch.block_input is None:
                raise PlanError(
                    f"the block {branch.block} has no identity to shift",
                    where="temporal_shift.place",
                    hint="Write branch",
                )
            places[branch.block if shift.place == "block" else branch.name] = branch
        of_stage[stage] += 1
    return places


def is_block(module: nn.Module) -> bool:
    """Return whether ``module`` is built from weight layers, rather than being one."""
    return any(True for _ in module.children()) and any(p.ndim > 1 for p in module.parameters())


def find_branch(name: str, block: nn.Module, *inputs: Any) -> Branch | None:
    """Return the residual branch of ``block``, or None if the block has no identity beside its layers.

    The block is run, and the sum of two things that both come from its input is looked for in what autograd
    recorded. The branch begins at the first layer with weights that sees the frames one by one.

    Args:
        name: Path of the block in the backbone.
        block: The block.
        inputs: What it is called with.
    """
    exception = _EXCEPTIONS.get(type(block).__name__)
    if exception is None and not isinstance(inputs[0], torch.Tensor):
        return None
    seen: list[tuple[str, nn.Module, torch.Tensor]] = []
    handles = [
        module.register_forward_pre_hook(lambda module, args, path=path: seen.append((path, module, args[0])))
        for path, module in block.named_modules()
        if "weight" in dict(module.named_parameters(recurse=False))
    ]
    try:
        if exception is None:
            batch = inputs[0].shape[0]
            start = inputs[0].detach().requires_grad_().clone()
            out = block(start, *inputs[1:])
            if not (isinstance(out, torch.Tensor) and _joins(out, start)):
                return None
        else:
            batch = -1
            block(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    for path, module, x in seen:
        if path == exception or (
            exception is None and x.ndim > 2 and x.shape[0] == batch and not _SHORTCUT.search(path)
        ):
            axis = (
                1
                if isinstance(module, nn.Conv2d)
                else channel_axis(x.shape, prefer_last=isinstance(module, nn.Linear | nn.LayerNorm))
            )
            whole = None
            if exception is None:
                own = axis if x.ndim == inputs[0].ndim else channel_axis(inputs[0].shape)
                whole = (own, inputs[0].shape[own])
            return Branch(f"{name}.{path}", axis, x.shape[axis], name, whole)
    return None


def _joins(out: torch.Tensor, start: torch.Tensor) -> bool:
    """Return whether somewhere two things that both depend on ``start`` are added on the way to ``out``."""
    reached: dict[Any, bool] = {None: False, start.grad_fn: True}
    joined = False
    stack: list[Any] = [out.grad_fn]
    while stack:
        node = stack[-1]
        if node in reached:
            stack.pop()
            continue
        parents = [parent for parent, _ in node.next_functions]
        waiting = [parent for parent in parents if parent not in reached]
        if waiting:
            stack += waiting
            continue
        arms = sum(reached[parent] for parent in parents)
        reached[node] = arms > 0
        joined = joined or (arms > 1 and _SUM.search(node.name()) is not None)
        stack.pop()
    return joined
