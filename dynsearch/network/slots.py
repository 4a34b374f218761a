"""An exit head that knows when each frame was: every position in time has weights of its own."""

from collections.abc import Sequence

import torch
from torch import nn

from dynsearch.network.heads import ExitHead, LinearHead, running_sums

_FRAME_WIDTH, _WIDTH = 32, 64


class SlotsHead(ExitHead):
    """What :class:`LinearHead` says of the frames' mean, plus what their order in time says.

    Each frame's features become 32 numbers (linear, LayerNorm, ReLU), which its position in time weighs; their sum
    over the frames seen gives 64, and a linear layer the logits. A position not seen adds nothing, so that heads
    which have seen different frames can be one.

    Args:
        channels: C.
        num_classes: K.
        dropout: Dropout before the last layers.
        num_frames: T, the positions in time.
    """

    reads = "sequence"

    def __init__(self, channels: int, num_classes: int, dropout: float, *, num_frames: int) -> None:
        super().__init__()
        self.of_mean = LinearHead(channels, num_classes, dropout)
        self.of_frame, self.norm = nn.Linear(channels, _FRAME_WIDTH), nn.LayerNorm(_FRAME_WIDTH)
        self.slots = nn.Parameter(torch.empty(num_frames, _FRAME_WIDTH, _WIDTH))
        self.bias = nn.Parameter(torch.zeros(_WIDTH))
        self.dropout, self.linear = nn.Dropout(dropout), nn.Linear(_WIDTH, num_classes, bias=False)
        nn.init.normal_(self.slots, std=(2 / (num_frames * _FRAME_WIDTH)) ** 0.5)
        nn.init.normal_(self.linear.weight, std=0.01)

    def first_layers(self) -> tuple[nn.Linear, ...]:
        """Return the layer on each frame, and that on their mean."""
        return (self.of_frame, *self.of_mean.first_layers())

    def wait(self) -> None:
        """Answer as a linear head does: the order of frames has no say while the backbone is trained."""
        nn.init.zeros_(self.linear.weight)
        for part in (self.of_frame, self.norm, self.linear):
            part.requires_grad_(False)
        self.slots.requires_grad_(False)
        self.bias.requires_grad_(False)

    def after_each(
        self, frames_BTC: torch.Tensor, times: Sequence[int], counts: Sequence[int]
    ) -> torch.Tensor:
        """Return the logits (E, B, K) after each number of frames; what each frame adds is computed once."""
        seen_TBD = self.norm(self.of_frame(frames_BTC)).relu().movedim(1, 0)
        hidden = (running_sums(seen_TBD @ self.slots[list(times)], counts) + self.bias).relu()
        return self.of_mean.after_each(frames_BTC, times, counts) + self.linear(self.dropout(hidden))

    def forward(self, frames_BTC: torch.Tensor, times: Sequence[int]) -> torch.Tensor:
        """Return logits (B, K) for the features (B, T', C) of the frames at these positions in time."""
        seen_BTD = self.norm(self.of_frame(frames_BTC)).relu()
        # Taken one by one: an index that comes from the host can't be recorded on a GPU.
        slots = torch.cat([self.slots[time] for time in times])
        hidden = (seen_BTD.flatten(1) @ slots + self.bias).relu()
        logits: torch.Tensor = self.of_mean(frames_BTC.mean(dim=1)) + self.linear(self.dropout(hidden))
        return logits
