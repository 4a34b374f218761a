"""What progressive inference returns."""

from dataclasses import dataclass

import numpy as np
import torch

from dynsearch.measures import COUNTED, CostMeasure


@dataclass(frozen=True)
class ProgressiveResult:
    """Where each video of a batch stopped, and with which answer.

    Attributes:
        logits: (B, K) float32, the logits of the exit at which the video stopped.
        exit: (B,) int64, that exit, counted from 0.
        cost: (B,) float64, cost of the video.
        measure: What it is in.
    """

    logits: torch.Tensor
    exit: np.ndarray
    cost: np.ndarray
    measure: CostMeasure = COUNTED

    @property
    def gmacs(self) -> np.ndarray:
        """The cost, where it is counted."""
        return self.measure.only("gflops", self.cost)
