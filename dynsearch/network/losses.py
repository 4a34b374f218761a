"""Losses over all exits: plain functions of the logits of every exit.

Labels are classes, int64 (B,), or for data sets with several labels a video 0/1 (B, K). There the cross-entropy is
the binary one of each class, summed over classes.
"""

from collections.abc import Callable

import torch
from torch.nn import functional as F

from dynsearch.scores.labels import several_labels

ExitLoss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(logits_EBK, labels_B) -> scalar."""


def sum_of_cross_entropies(logits_EBK: torch.Tensor, labels_B: torch.Tensor) -> torch.Tensor:
    """Return the sum over exits of the mean cross-entropy over videos (paper section 4.2).

    Args:
        logits_EBK: Logits of every exit.
        labels_B: Classes, or 0/1 for each class.
    """
    num_exits, num_videos, _ = logits_EBK.shape
    total = _cross_entropy(logits_EBK.flatten(0, 1), _repeated(labels_B, num_exits), reduction="sum")
    return total / num_videos


def linear_cross_entropies(logits_EBK: torch.Tensor, labels_B: torch.Tensor) -> torch.Tensor:
    """Return cross-entropies summed with weights 2k/(E+1), k = 1..E: later exits weigh more, E in all."""
    num_exits, num_videos, _ = logits_EBK.shape
    loss = _cross_entropy(logits_EBK.flatten(0, 1), _repeated(labels_B, num_exits), reduction="none")
    weight_E = torch.arange(1, num_exits + 1, device=loss.device) * (2 / (num_exits + 1))
    return weight_E @ loss.view(num_exits, num_videos).mean(dim=1)


def distilled_cross_entropies(
    logits_EBK: torch.Tensor, labels_B: torch.Tensor, *, temperature: float = 3.0, weight: float = 0.5
) -> torch.Tensor:
    """Return the sum of cross-entropies, part of which the earlier exits learn from the last one instead.

    For every exit but the last: (1 - weight) x cross-entropy + weight x temperature^2 x KL(last || exit), both
    softened by ``temperature`` (Hinton et al., 2015; from the deepest exit as in Phuong & Lampert, ICCV 2019).
    With several labels a video it is the KL of each class, summed.
    The last exit is the teacher and gets no gradient from its pupils.

    Args:
        logits_EBK: Logits of every exit.
        labels_B: Classes, or 0/1 for each class.
        temperature: Divides all logits before the softmax; higher is softer.
        weight: Share of the teacher, 0..1.
    """
    last = sum_of_cross_entropies(logits_EBK[-1:], labels_B)
    if len(logits_EBK) == 1:
        return last
    early = logits_EBK[:-1]
    teacher = (logits_EBK[-1].detach() / temperature).expand_as(early)
    pupils = early / temperature
    if several_labels(labels_B):
        wanted = teacher.sigmoid()
        divergence = F.binary_cross_entropy_with_logits(pupils, wanted, reduction="sum")
        divergence = divergence - F.binary_cross_entropy_with_logits(teacher, wanted, reduction="sum")
    else:
        sure = teacher.log_softmax(dim=2).flatten(0, 1)
        divergence = F.kl_div(pupils.log_softmax(dim=2).flatten(0, 1), sure, reduction="sum", log_target=True)
    taught = temperature**2 * divergence / len(labels_B)
    return last + (1 - weight) * sum_of_cross_entropies(early, labels_B) + weight * taught


def num_hits(logits_BK: torch.Tensor, labels_B: torch.Tensor) -> int:
    """Return how many videos have their label, or one of their labels, as first choice."""
    choice_B = logits_BK.argmax(dim=1)
    if several_labels(labels_B):
        return int(labels_B.gather(1, choice_B[:, None]).sum())
    return int((choice_B == labels_B).sum())


def _cross_entropy(logits_RK: torch.Tensor, labels_R: torch.Tensor, *, reduction: str) -> torch.Tensor:
    """Return the (R,) losses of rows, or with ``reduction="sum"`` their sum."""
    if not several_labels(labels_R):
        return F.cross_entropy(logits_RK, labels_R, reduction=reduction)
    wanted_RK = labels_R.to(logits_RK.dtype)
    loss_R = F.binary_cross_entropy_with_logits(logits_RK, wanted_RK, reduction="none").sum(dim=1)
    return loss_R.sum() if reduction == "sum" else loss_R


def _repeated(labels_B: torch.Tensor, count: int) -> torch.Tensor:
    return labels_B.repeat(count, *(1 for _ in labels_B.shape[1:]))


EXIT_LOSSES: dict[str, ExitLoss] = {
    "sum": sum_of_cross_entropies,
    "linear": linear_cross_entropies,
    "distill": distilled_cross_entropies,
}
"""Losses by the name used in ``training.exit_loss``."""
