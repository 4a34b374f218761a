"""The temporal shift inside residual branches: dense and progressive, the same numbers."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import nn

from dynsearch.network.backbone.backbone import Backbone
from dynsearch.network.backbone.branches import Branch, shifted_places
from dynsearch.plan import TemporalShift


@dataclass
class FrameHistory:
    """Which frames pass through the network now, shared by all shifts of one network.

    A dense pass sends all frames at once. A step from exit to exit sends some, and tails carry what the next
    frame needs of the last one, so that both compute the same; see :meth:`going_on`. Nothing is kept here after it.

    Attributes:
        num_frames: Frames per video in this pass.
        restarts: Positions in this pass at which a group begins; nothing is shifted into them.
        before: By shift name, the shifted channels of the last frame of the step before, (B, C/div, H, W).
        after: The same of this step; None if no step follows that needs them.
        still: Whether the online shift rests, and every frame keeps its own channels.
    """

    num_frames: int = 1
    restarts: tuple[int, ...] = (0,)
    before: Mapping[str, torch.Tensor] = field(default_factory=dict)
    after: dict[str, torch.Tensor] | None = None
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

    @contextmanager
    def going_on(
        self, before: Mapping[str, torch.Tensor], *, more: bool
    ) -> Iterator[dict[str, torch.Tensor]]:
        """Go on from the tails in ``before``; what is given gets this step's, if ``more`` frames follow."""
        after: dict[str, torch.Tensor] = {}
        self.before, self.after = before, after if more else None
        try:
            yield after
        finally:
            self.before, self.after = {}, None


class _Shift:
    """A forward pre-hook of a branch's first layer, or of the block around it.

    Args:
        name: Of its tail.
        branch: The branch.
        shift: The plan's.
        history: Which frames pass.
    """

    def __init__(self, name: str, branch: Branch, shift: TemporalShift, history: FrameHistory) -> None:
        at_block = branch.block_input if shift.place == "block" else None
        self.name = name
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
        tail = history.before.get(self.name)
        for position in {0, *history.restarts}:
            if tail is None or position in history.restarts:
                new[:, position] = 0
            else:
                new[:, position] = tail
        if history.after is not None:
            history.after[self.name] = old[:, -1].clone()
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


def attach_shifts(backbone: Backbone, shift: TemporalShift, tail: str = "tail") -> FrameHistory:
    """Attach ``shift`` to the residual branches of ``backbone``, or to their blocks; they keep their names.

    Their tails are called ``tail0``, ``tail1``, ...

    Returns:
        The history that all of them share; set it before each pass.
    """
    history = FrameHistory()
    kind = OnlineShift if shift.kind == "online" else BidirectionalShift
    for i, (path, branch) in enumerate(shifted_places(backbone.branches, shift).items()):
        hook = kind(f"{tail}{i}", branch, shift, history)
        backbone.model.get_submodule(path).register_forward_pre_hook(hook)
    return history
