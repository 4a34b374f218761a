"""The family ``adafocus``: a glance at whole frames, and a closer look at patches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dynsearch.families.adafocus.choices import AdaFocusChoices
from dynsearch.families.adafocus.options import AdaFocusOptions
from dynsearch.families.family import Family
from dynsearch.plan import Plan

if TYPE_CHECKING:
    import torch

    from dynsearch.cost import NetworkCost
    from dynsearch.families.adafocus.network import FocusNetwork
    from dynsearch.network import MultiExitNetwork
    from dynsearch.network.losses import ExitLoss
    from dynsearch.network.weights.loaded import Loaded
    from dynsearch.plan.starting_weights import Weights


class AdaFocusFamily(Family):
    """AdaFocusV2 networks (Wang et al., CVPR 2022), with one patch per frame or per video."""

    options = AdaFocusOptions
    choices = AdaFocusChoices
    part_names = ("global_net", "local_net", "policy", "classifier")
    backbone_names = ("global", "local")

    def completed(self, plan: Plan) -> AdaFocusOptions:
        """Return the plan's options in the one form that they have for it."""
        assert isinstance(plan.options, AdaFocusOptions)
        return plan.options.completed(plan)

    def build(self, plan: Plan, num_classes: int, *, dropout: float = 0.0) -> FocusNetwork:
        """Return the network of ``plan``, of one of the two variants."""
        from dynsearch.families.adafocus.one_patch import OnePatchNetwork
        from dynsearch.families.adafocus.recurrent import RecurrentFocusNetwork

        assert isinstance(plan.options, AdaFocusOptions)
        kind = OnePatchNetwork if plan.options.patch_per == "video" else RecurrentFocusNetwork
        return kind(plan, num_classes, dropout=dropout)

    def cost(self, plan: Plan, num_classes: int) -> NetworkCost:
        """Return the cost of each part."""
        from dynsearch.families.adafocus.cost import adafocus_cost

        return adafocus_cost(plan, num_classes)

    def start(
        self, network: MultiExitNetwork, *, pretrained: bool, weights: Weights | None
    ) -> tuple[Loaded, ...]:
        """Give the network its starting weights: all of them where one file is AdaFocusV2's own."""
        from dynsearch.families.adafocus.public import load_whole

        whole = load_whole(cast("FocusNetwork", network), weights) if isinstance(weights, Path) else ()
        return whole or super().start(network, pretrained=pretrained, weights=weights)

    def objective(
        self,
        network: Callable[..., torch.Tensor],
        clips_BTCHW: torch.Tensor,
        labels_B: torch.Tensor,
        exit_loss: ExitLoss,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the loss of exits and auxiliary heads, and the exits' logits with the policy's patches."""
        from dynsearch.families.adafocus.objective import with_auxiliary_heads

        return with_auxiliary_heads(network, clips_BTCHW, labels_B, exit_loss)


FAMILY = AdaFocusFamily()
