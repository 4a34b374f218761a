"""The temporal shift inside residual branches: dense and progressive, the same numbers."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import nn

from dynsearch.network.backbone.backbone import Backbone
from dynsearch.network.backbone.branches import Branch, shifted_places
from dynsearch.network.backbone.layout import is_exporting, joined
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

    def written(self, x: torch.Tensor, parts: list[torch.Tensor]) -> torch.Tensor:
        """Return ``x`` with its first channels replaced by ``parts`` of C/div channels each."""
        if is_exporting():  # A graph writes into a tensor by many operations on all of it.
            done = len(parts) * self.fold
            return torch.cat([*parts, x.narrow(self.axis, done, x.shape[self.axis] - done)], self.axis)
        shifted = x.clone()
        for i, part in enumerate(parts):
            shifted.narrow(self.axis, i * self.fold, self.fold).copy_(part)
        return shifted


class OnlineShift(_Shift):
    """Takes the first C/div channels from the frame fed before."""

    def __call__(self, module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """Return the shifted input (B x T, ...), frames of a video in feeding order."""
        history = self.history
        if history.still:
            return inputs
        x = inputs[0]
        old = x.narrow(self.axis, 0, self.fold).unflatten(0, (-1, history.num_frames))
        tail = history.before.get(self.name)
        parts = []
        starts = sorted({0, *history.restarts})
        for start, stop in pairwise([*starts, history.num_frames]):
            parts.append(
                torch.zeros_like(old[:, :1]) if tail is None or start in history.restarts else tail[:, None]
            )
            if stop - start > 1:
                parts.append(old[:, start : stop - 1])
        shifted = self.written(x, [joined(parts, 1).flatten(0, 1)])
        if history.after is not None:
            history.after[self.name] = old[:, -1].clone()
        return (shifted, *inputs[1:])


class BidirectionalShift(_Shift):
    """TSM's offline shift: C/div channels from the frame after, C/div from the frame before."""

    def __call__(self, module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """Return the shifted input (B x T, ...), frames of a video in feeding order."""
        x, fold = inputs[0], self.fold
        after, before = (
            x.narrow(self.axis, start, fold).unflatten(0, (-1, self.history.num_frames))
            for start in (0, fold)
        )
        none = torch.zeros_like(after[:, :1])
        new = joined([after[:, 1:], none], 1), joined([none, before[:, :-1]], 1)
        return (self.written(x, [part.flatten(0, 1) for part in new]), *inputs[1:])


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
