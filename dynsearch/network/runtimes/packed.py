"""A network made ready for a CPU: norms folded into convolutions, whose weights lie as oneDNN wants them.

In eager mode oneDNN puts the weights of a convolution in order at every call. For few frames that takes as long as
for many, so that without this a step on two frames takes 1.2 to 1.4 times its share of the time.
"""

import copy
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from dynsearch.network.multi_exit import MultiExitNetwork


class PackedConv(nn.Module):
    """A convolution with its weights in oneDNN's order, and perhaps the ReLU behind it."""

    def __init__(self, conv: nn.Conv2d, shape: list[int]) -> None:
        super().__init__()
        self.how = (list(map(int, conv.padding)), list(conv.stride), list(conv.dilation), conv.groups)
        weight = conv.weight.detach().to_mkldnn()
        self.weight = torch._C._nn.mkldnn_reorder_conv2d_weight(weight, *self.how, shape)  # type: ignore[call-arg]
        self.bias = None if conv.bias is None else conv.bias.detach()
        self.then = "none"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the convolution of ``x``, (B, C, H, W)."""
        out: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self.weight, self.bias, *self.how, self.then, [], ""
        )
        return out


@torch.inference_mode(False)
@torch.no_grad()
def packed(network: MultiExitNetwork) -> MultiExitNetwork:
    """Return a copy of ``network`` that gives the same logits faster; itself, if nothing can be gained."""
    plan = network.plan
    if not torch.backends.mkldnn.is_available():
        return network
    clips = torch.randn(1, plan.num_frames, 3, plan.image_size, plan.image_size)
    made = copy.deepcopy(network)
    shapes, after = _watched(made, clips)
    for norm, conv in after.items():
        if isinstance(norm, nn.BatchNorm2d) and not (norm.running_mean is None or norm.running_var is None):
            conv.weight, conv.bias = fuse_conv_bn_weights(
                conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
            )  # fmt: skip
            _replace(made, norm, getattr(norm, "act", nn.Identity()))
    # What comes behind a convolution now, without its norm.
    shapes, after = _watched(made, clips)
    convs: dict[nn.Module, PackedConv] = {}
    for conv, shape in shapes.items():
        if conv.padding_mode == "zeros" and not isinstance(conv.padding, str):
            convs[conv] = PackedConv(conv, shape)
            convs[conv]._forward_pre_hooks = conv._forward_pre_hooks
            _replace(made, conv, convs[conv])
    for act, conv in after.items():
        if type(act) is nn.ReLU and conv in convs:
            convs[conv].then = "relu"
            _replace(made, act, nn.Identity())
    expected, found = network(clips), made(clips)
    near = 1e-5 * float(expected.abs().max())
    return made if torch.allclose(expected, found, rtol=0, atol=near) else network


def _watched(
    network: MultiExitNetwork, clips: torch.Tensor
) -> tuple[dict[nn.Conv2d, list[int]], dict[nn.Module, nn.Conv2d]]:
    """Return what shape each convolution takes, and which norm or ReLU, called once, takes what one has made."""
    shapes: dict[nn.Conv2d, list[int]] = {}
    after: dict[nn.Module, nn.Conv2d | None] = {}
    made: dict[int, tuple[nn.Conv2d, torch.Tensor, int]] = {}

    def before(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        conv, _, version = made.get(id(inputs[0]), (None, None, 0))
        if isinstance(module, nn.BatchNorm2d | nn.ReLU):
            # Something may have been added to it in place.
            after[module] = None if module in after or inputs[0]._version != version else conv

    def behind(module: nn.Module, inputs: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
        if type(module) is nn.Conv2d:
            made[id(out)] = module, out, out._version
            shapes[module] = list(inputs[0].shape)

    leaves = [
        module
        for module in network.modules()
        if not any(module.children()) or isinstance(module, nn.BatchNorm2d)
    ]
    handles = [leaf.register_forward_pre_hook(before) for leaf in leaves]
    handles += [leaf.register_forward_hook(behind) for leaf in leaves]
    try:
        network(clips)
    finally:
        for handle in handles:
            handle.remove()
    return shapes, {module: conv for module, conv in after.items() if conv is not None}


def _replace(network: nn.Module, old: nn.Module, new: nn.Module) -> None:
    for parent in network.modules():
        for name, child in parent.named_children():
            if child is old:
                setattr(parent, name, new)
