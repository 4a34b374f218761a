"""What progressive inference returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class ProgressiveResult:
    """Where each video of a batch stopped, and with which answer.

    Attributes:
        logits: (B, K) float32, the logits of the exit at which the video stopped.
        exit: (B,) int64, that exit, counted from 0.
        cost: (B,) float64, GFLOPs (10^9 multiply-accumulates) spent on the video.
    """

    logits: torch.Tensor
    exit: np.ndarray
    cost: np.ndarray

    @property
    def gmacs(self) -> np.ndarray:
        """The cost, as users spell it."""
        return self.cost
