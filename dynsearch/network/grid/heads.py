"""Exit heads: from the features of the frames seen so far to logits."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from dynsearch.errors import PlanError


class LinearHead(nn.Module):
    """Dropout and one linear layer on features averaged over space and over the frames seen.

    The paper's MSDNet head (section 4): "an average pooling and a linear layer".
    """

    def __init__(self, channels: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(channels, num_classes)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)

    def forward(self, mean_BC: torch.Tensor) -> torch.Tensor:
        """Return logits (B, K) for features averaged over space and frames, (B, C)."""
        return self.linear(self.dropout(mean_BC))


HEADS: dict[str, Callable[[int, int, float], nn.Module]] = {"linear": LinearHead}
"""Exit heads by the name used in a plan's ``head``: (channels, classes, dropout) -> module."""


def build_head(kind: str, channels: int, num_classes: int, dropout: float) -> nn.Module:
    """Return an exit head of the given kind.

    Raises:
        PlanError: There is no such kind.
    """
    if kind not in HEADS:
        raise PlanError(f"there is no exit head {kind!r}", where="head", hint=f"Heads: {', '.join(HEADS)}")
    return HEADS[kind](channels, num_classes, dropout)
