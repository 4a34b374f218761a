"""The temporal shift inside residual branches: dense and progressive, the same numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import nn

from dynsearch.network.backbone.backbone import Backbone
from dynsearch.network.backbone.branches import Branch, shifted_places
from dynsearch.plan import TemporalShift


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
        still: Whether the online shift rests, and every frame keeps its own channels.
    """

    num_frames: int = 1
    restarts: tuple[int, ...] = (0,)
    tails: dict[str, torch.Tensor] = field(default_factory=dict)
    keep_tails: bool = False
    still: bool = False

    def begin(self, start: int, stop: int, restarts: Iterable[int]) -> None:
        """Say that the frames fed from position ``start`` up to ``stop`` come next.

        Args:
            start: Position in feeding order.
            stop: Position in feeding order.
            restarts: Positions at which nothing is shifted in, over the whole video.
        """
        self.num_frames = stop - start
        self.restarts = tuple(position - start for position in restarts if start <= position < stop)


class _Shift:
    """A forward pre-hook of a branch's first layer, or of the block around it.

    Args:
        branch: The branch.
        shift: The plan's.
        history: Which frames pass.
    """

    def __init__(self, branch: Branch, shift: TemporalShift, history: FrameHistory) -> None:
        at_block = branch.block_input if shift.place == "block" else None
        self.name = branch.name
        self.axis, channels = at_block or (branch.axis, branch.channels)
        self.fold = channels // shift.div
        self.history = history


class OnlineShift(_Shift):
    """Takes the first C/div channels from the frame fed before."""

    def __call__(self, module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """Return the shifted input (B x T, ...), frames of a video in feeding order."""
        history = self.history
        if history.still:
            return inputs
        x = inputs[0]
        shifted = x.clone()
        old = x.narrow(self.axis, 0, self.fold).unflatten(0, (-1, history.num_frames))
        new = shifted.narrow(self.axis, 0, self.fold).unflatten(0, (-1, history.num_frames))
        new[:, 1:] = old[:, :-1]
        tail = history.tails.get(self.name)
        for position in {0, *history.restarts}:
            if tail is None or position in history.restarts:
                new[:, position] = 0
            else:
                new[:, position] = tail
        if history.keep_tails:
            history.tails[self.name] = old[:, -1].clone()
        return (shifted, *inputs[1:])


class BidirectionalShift(_Shift):
    """TSM's offline shift: C/div channels from the frame after, C/div from the frame before."""

    def __call__(self, module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """Return the shifted input (B x T, ...), frames of a video in feeding order."""
        x = inputs[0]
        shifted = x.clone()
        for start, here, there in (
            (0, slice(None, -1), slice(1, None)),
            (1, slice(1, None), slice(None, -1)),
        ):
            old = x.narrow(self.axis, start * self.fold, self.fold)
            new = shifted.narrow(self.axis, start * self.fold, self.fold)
            old, new = (part.unflatten(0, (-1, self.history.num_frames)) for part in (old, new))
            new[:, here] = old[:, there]
            new[:, -1 if start == 0 else 0] = 0
        return (shifted, *inputs[1:])


def attach_shifts(backbone: Backbone, shift: TemporalShift) -> FrameHistory:
    """Attach ``shift`` to the residual branches of ``backbone``, or to their blocks; they keep their names.

    Returns:
        The history that all of them share; set it before each pass.
    """
    history = FrameHistory()
    kind = OnlineShift if shift.kind == "online" else BidirectionalShift
    for path, branch in shifted_places(backbone.branches, shift).items():
        backbone.model.get_submodule(path).register_forward_pre_hook(kind(branch, shift, history))
    return history
