"""What training needs of an AdaFocusV2 network besides the logits of its exits."""

from __future__ import annotations

from typing import NamedTuple

import torch


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
