"""Losses over all exits: plain functions of the logits of every exit."""

from __future__ import annotations

from collections.abc import Callable

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


def linear_cross_entropies(logits_EBK: torch.Tensor, labels_B: torch.Tensor) -> torch.Tensor:
    """Return cross-entropies summed with weights 2k/(E+1), k = 1..E: later exits weigh more, E in all."""
    num_exits, num_videos, _ = logits_EBK.shape
    loss = F.cross_entropy(logits_EBK.flatten(0, 1), labels_B.repeat(num_exits), reduction="none")
    weight_E = torch.arange(1, num_exits + 1, device=loss.device) * (2 / (num_exits + 1))
    return weight_E @ loss.view(num_exits, num_videos).mean(dim=1)


def distilled_cross_entropies(
    logits_EBK: torch.Tensor, labels_B: torch.Tensor, *, temperature: float = 3.0, weight: float = 0.5
) -> torch.Tensor:
    """Return the sum of cross-entropies, part of which the earlier exits learn from the last one instead.

    For every exit but the last: (1 - weight) x cross-entropy + weight x temperature^2 x KL(last || exit), both
    softened by ``temperature`` (Hinton et al., 2015; from the deepest exit as in Phuong & Lampert, ICCV 2019).
    The last exit is the teacher and gets no gradient from its pupils.

    Args:
        logits_EBK: Logits of every exit.
        labels_B: Classes, int64.
        temperature: Divides all logits before the softmax; higher is softer.
        weight: Share of the teacher, 0..1.
    """
    last = F.cross_entropy(logits_EBK[-1], labels_B)
    if len(logits_EBK) == 1:
        return last
    early = logits_EBK[:-1]
    teacher = (logits_EBK[-1].detach() / temperature).log_softmax(dim=1).expand_as(early)
    pupils = (early / temperature).log_softmax(dim=2)
    divergence = F.kl_div(pupils.flatten(0, 1), teacher.flatten(0, 1), reduction="sum", log_target=True)
    taught = temperature**2 * divergence / len(labels_B)
    return last + (1 - weight) * sum_of_cross_entropies(early, labels_B) + weight * taught


EXIT_LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "sum": sum_of_cross_entropies,
    "linear": linear_cross_entropies,
    "distill": distilled_cross_entropies,
}
"""Losses by the name used in ``training.exit_loss``: (logits_EBK, labels_B) -> scalar."""
