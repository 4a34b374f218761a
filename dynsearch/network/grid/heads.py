"""Exit heads: from the features of the frames seen so far to logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from dynsearch.errors import PlanError
from dynsearch.plan import Plan


class LinearHead(nn.Module):
    """Dropout and one linear layer on features averaged over space and over the frames seen.

    The paper's MSDNet head as its text has it (section 4): "an average pooling and a linear layer".
    """

    wants_maps = False

    def __init__(self, channels: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(channels, num_classes)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)

    def forward(self, mean_BC: torch.Tensor) -> torch.Tensor:
        """Return logits (B, K) for features averaged over space and frames, (B, C)."""
        return self.linear(self.dropout(mean_BC))


class ConvHead(nn.Module):
    """Two stride-2 3x3 convolutions, average pool, linear layer, on maps averaged over the frames seen.

    The classifier of MSDNet (Huang et al., ICLR 2018, section 4), and the paper's for ResNets.

    Args:
        channels: Channels that come in.
        width: Channels of both convolutions; None keeps the ``channels``.
        num_classes: K.
        dropout: Dropout before the linear layer.
    """

    wants_maps = True

    def __init__(self, channels: int, width: int | None, num_classes: int, dropout: float) -> None:
        super().__init__()
        width = width or channels
        self.convs = nn.Sequential(*_halve(channels, width), *_halve(width, width))
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, num_classes)

    def forward(self, mean_BCHW: torch.Tensor) -> torch.Tensor:
        """Return logits (B, K) for maps averaged over frames, (B, C, H, W)."""
        return self.linear(self.dropout(self.convs(mean_BCHW).mean(dim=(2, 3))))


def _halve(in_channels: int, out_channels: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)


def _msdnet(channels: int, num_classes: int, dropout: float) -> nn.Module:
    return ConvHead(channels, None, num_classes, dropout)


def _conv128(channels: int, num_classes: int, dropout: float) -> nn.Module:
    return ConvHead(channels, 128, num_classes, dropout)


HEADS: dict[str, Callable[[int, int, float], Any]] = {
    "linear": LinearHead,
    "conv": _msdnet,
    "conv128": _conv128,
}
"""Exit heads by name: (channels, classes, dropout) -> module. ``conv`` keeps the channels, ``conv128`` has 128.

A plan's ``head`` is one of them, or two joined by ``+``: all exits but the last one, and the last."""


@dataclass(frozen=True)
class HeadSlot:
    """Which head an exit uses.

    Attributes:
        index: Position among the network's heads; exits may share one.
        kind: Its name in :data:`HEADS`.
        depth: The depth stage whose features it reads.
    """

    index: int
    kind: str
    depth: int


def head_kinds(plan: Plan) -> tuple[str, str]:
    """Return the kind of all exits but the last one, and of the last.

    Raises:
        PlanError: The plan asks for an unknown kind of head.
    """
    kinds = plan.head.split("+")
    if len(kinds) > 2 or not set(kinds) <= set(HEADS):
        raise PlanError(
            f"there is no exit head {plan.head!r}",
            where="head",
            hint=f"Heads: {', '.join(HEADS)}; or two joined by '+', the second for the last exit",
        )
    return kinds[0], kinds[-1]


def head_slots(plan: Plan) -> tuple[HeadSlot, ...]:
    """Return the head of each exit.

    Raises:
        PlanError: The plan asks for an unknown kind of head.
    """
    early, last = head_kinds(plan)
    taken: dict[object, int] = {}
    slots = []
    for k, exit_ in enumerate(plan.exits.exits):
        kind = last if k == len(plan.exits) - 1 else early
        key = (exit_.depth, kind) if plan.share_heads else k
        slots.append(HeadSlot(taken.setdefault(key, len(taken)), kind, exit_.depth))
    return tuple(slots)


def build_head(kind: str, channels: int, num_classes: int, dropout: float) -> Any:
    """Return an exit head of the given kind, freshly initialised."""
    return HEADS[kind](channels, num_classes, dropout)
