"""One step from exit to exit as a function of tensors alone: what is written as a graph."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn

FRAMES = "frames"
"""Name of the input that holds new frames, (B, T', C, H, W)."""

NEXT = "next_"
"""Begins the name of what comes out under another name than it goes in, for a later step."""


class GraphStep(nn.Module, ABC):
    """Computes what lies between exit k - 1 and exit k, videos along the first axis of every tensor.

    Attributes:
        k: The exit, counted from 0.
        start: Position in feeding order of the first new frame.
        stop: Position behind the last one; equal to ``start`` if the step takes no frames.
        inputs: Names of what goes in; ``frames`` are fed newly, the others are what earlier steps kept.
        outputs: Names of what comes out, ``logits`` (B, K) first; set by the first call.
    """

    k: int
    start: int
    stop: int
    inputs: list[str]
    outputs: list[str]

    @abstractmethod
    def forward(self, tensors: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """Return what ``outputs`` names for what ``inputs`` names."""
