"""What is minimised: the loss over exits, and that of the two networks' own heads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from dynsearch.families.adafocus.auxiliary import AuxiliaryLogits
from dynsearch.network.losses import ExitLoss, sum_of_cross_entropies


def with_auxiliary_heads(
    network: Callable[..., Any],
    clips_BTCHW: torch.Tensor,
    labels_B: torch.Tensor,
    exit_loss: ExitLoss,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss of AdaFocusV2 (its section 3.3), and the exits' logits with the policy's patches.

    The exits' mean loss, plus the cross-entropies of the global and the local network's own heads on every frame;
    what depends on the patch is averaged over the policy's patches and random ones.
    """
    out: AuxiliaryLogits = network(clips_BTCHW, auxiliary=True)
    exits = torch.stack([exit_loss(logits_EBK.float(), labels_B) for logits_EBK in out.exits_2EBK]).mean()
    loss = exits / out.exits_2EBK.shape[1]
    for logits in (out.global_BTK[None], out.local_2BTK):
        frames_FBK = logits.transpose(1, 2).flatten(0, 1).float()
        loss = loss + sum_of_cross_entropies(frames_FBK, labels_B) / len(frames_FBK)
    return loss, out.exits_2EBK[0]
