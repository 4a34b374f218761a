"""What training needs of an AdaFocusV2 network besides the logits of its exits, and what it minimises."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from dynsearch.network.losses import ExitLoss, sum_of_cross_entropies


class AuxiliaryLogits(NamedTuple):
    """Logits of one training pass (AdaFocusV2, section 3.3).

    The local network has looked twice: where the policy says, and at random places, so that it sees diverse
    patches. Both networks have a linear head of their own, which supervises them directly.

    Attributes:
        exits_2EBK: Of the exits, with the policy's patches and with random ones.
        global_BTK: Of the global network's own head.
        local_2BTK: Of the local network's own head, with the policy's patches and with random ones.
    """

    exits_2EBK: torch.Tensor
    global_BTK: torch.Tensor
    local_2BTK: torch.Tensor


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
