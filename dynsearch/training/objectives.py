"""What is minimised: for most families the loss over exits, for some more."""

from __future__ import annotations

from collections.abc import Callable

import torch

from dynsearch.network.adafocus.auxiliary import AuxiliaryLogits
from dynsearch.training.losses import sum_of_cross_entropies

ExitLoss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(logits_EBK, labels_B) -> scalar."""


def exits_only(
    network: Callable[..., torch.Tensor],
    clips_BTCHW: torch.Tensor,
    labels_B: torch.Tensor,
    exit_loss: ExitLoss,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss over exits, and their logits."""
    logits_EBK = network(clips_BTCHW)
    return exit_loss(logits_EBK.float(), labels_B), logits_EBK


def with_auxiliary_heads(
    network: Callable[..., AuxiliaryLogits],
    clips_BTCHW: torch.Tensor,
    labels_B: torch.Tensor,
    exit_loss: ExitLoss,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss of AdaFocusV2 (its section 3.3), and the exits' logits with the policy's patches.

    The exits' mean loss, plus the cross-entropies of the global and the local network's own heads on every frame;
    what depends on the patch is averaged over the policy's patches and random ones.
    """
    out = network(clips_BTCHW, auxiliary=True)
    exits = torch.stack([exit_loss(logits_EBK.float(), labels_B) for logits_EBK in out.exits_2EBK]).mean()
    loss = exits / out.exits_2EBK.shape[1]
    for logits in (out.global_BTK[None], out.local_2BTK):
        frames_FBK = logits.transpose(1, 2).flatten(0, 1).float()
        loss = loss + sum_of_cross_entropies(frames_FBK, labels_B) / len(frames_FBK)
    return loss, out.exits_2EBK[0]


OBJECTIVES: dict[str, Callable[..., tuple[torch.Tensor, torch.Tensor]]] = {
    "grid": exits_only,
    "adafocus": with_auxiliary_heads,
    "sfc": exits_only,
}
"""What each network family minimises: (network, clips, labels, loss over exits) -> loss, logits of the exits."""
