"""Losses over all exits."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def sum_of_cross_entropies(logits_EBK: torch.Tensor, labels_B: torch.Tensor) -> torch.Tensor:
    """Return the sum over exits of the mean cross-entropy over videos (paper section 4.2).

    Args:
        logits_EBK: Logits of every exit.
        labels_B: Classes, int64.
    """
    num_exits, num_videos, _ = logits_EBK.shape
    total = F.cross_entropy(logits_EBK.flatten(0, 1), labels_B.repeat(num_exits), reduction="sum")
    return total / num_videos
