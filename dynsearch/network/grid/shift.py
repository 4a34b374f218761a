"""The temporal shift inside residual branches: dense and progressive, the same numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn

from dynsearch.plan import Plan


@dataclass
class FrameHistory:
    """Which frames pass through the network now, shared by all shifts of one network.

    A dense pass sends all frames at once. A progressive pass sends some, and ``tails`` carry what the next
    frame needs of the last one, so that both compute the same.

    Attributes:
        num_frames: Frames per video in this pass.
        restarts: Positions in this pass at which a group begins; nothing is shifted into them.
        tails: By shift name, the shifted channels of the last frame of the pass before, (B, C/div, H, W).
        keep_tails: Whether to store tails for a pass that follows.
    """

    num_frames: int = 1
    restarts: tuple[int, ...] = (0,)
    tails: dict[str, torch.Tensor] = field(default_factory=dict)
    keep_tails: bool = False


class OnlineShift:
    """Takes the first C/div channels from the frame fed before. A forward pre-hook of a convolution."""

    def __init__(self, name: str, div: int, history: FrameHistory) -> None:
        self.name = name
        self.div = div
        self.history = history

    def __call__(self, module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """Return the shifted input, (B x T, C, H, W), frames of a video in feeding order."""
        history = self.history
        x = inputs[0]
        shifted = x.clone()
        x = x.view(-1, history.num_frames, *x.shape[1:])
        out = shifted.view(x.shape)
        fold = x.shape[2] // self.div
        out[:, 1:, :fold] = x[:, :-1, :fold]
        tail = history.tails.get(self.name)
        for position in {0, *history.restarts}:
            if tail is None or position in history.restarts:
                out[:, position, :fold] = 0
            else:
                out[:, position, :fold] = tail
        if history.keep_tails:
            history.tails[self.name] = x[:, -1, :fold].clone()
        return (shifted, *inputs[1:])


class BidirectionalShift:
    """TSM's offline shift: C/div channels from the frame after, C/div from the frame before."""

    def __init__(self, div: int, history: FrameHistory) -> None:
        self.div = div
        self.history = history

    def __call__(self, module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """Return the shifted input, (B x T, C, H, W), frames of a video in feeding order."""
        x = inputs[0]
        shifted = x.clone()
        x = x.view(-1, self.history.num_frames, *x.shape[1:])
        out = shifted.view(x.shape)
        fold = x.shape[2] // self.div
        out[:, :-1, :fold] = x[:, 1:, :fold]
        out[:, -1, :fold] = 0
        out[:, 1:, fold : 2 * fold] = x[:, :-1, fold : 2 * fold]
        out[:, 0, fold : 2 * fold] = 0
        return (shifted, *inputs[1:])


def attach_shifts(branches: list[tuple[str, nn.Module]], plan: Plan) -> FrameHistory:
    """Attach the plan's temporal shift to the first convolution of each residual branch.

    The convolutions keep their place and their parameter names. The paper shifts at every residual block.

    Returns:
        The history that all of them share; set it before each pass.
    """
    history = FrameHistory()
    shift = plan.temporal_shift
    for name, convolution in branches:
        if shift.kind == "online":
            convolution.register_forward_pre_hook(OnlineShift(name, shift.div, history))
        elif shift.kind == "bidirectional":
            convolution.register_forward_pre_hook(BidirectionalShift(shift.div, history))
    return history
