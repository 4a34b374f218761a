"""The family ``sfc``: selective feature compression inside a trained grid network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from dynsearch.families.family import Family
from dynsearch.families.sfc.choices import CompressionChoices
from dynsearch.families.sfc.options import CompressionOptions
from dynsearch.plan import Plan

if TYPE_CHECKING:
    from dynsearch.cost import NetworkCost
    from dynsearch.families.sfc.network import CompressedNetwork
    from dynsearch.network import MultiExitNetwork


class CompressionFamily(Family):
    """Networks with selective feature compression (Liu et al., ICCV 2021); only the compression is trained."""

    options = CompressionOptions
    choices = CompressionChoices
    part_names = ("compression",)

    def completed(self, plan: Plan) -> CompressionOptions:
        """Return the plan's options, if they fit it."""
        assert isinstance(plan.options, CompressionOptions)
        return plan.options.completed(plan)

    def build(self, plan: Plan, num_classes: int, *, dropout: float = 0.0) -> CompressedNetwork:
        """Return the network of ``plan``; dropout is not used: what could drop out is frozen."""
        from dynsearch.families.sfc.network import CompressedNetwork

        return CompressedNetwork(plan, num_classes)

    def cost(self, plan: Plan, num_classes: int) -> NetworkCost:
        """Return the cost of head, compression and tail."""
        from dynsearch.families.sfc.cost import sfc_cost

        return sfc_cost(plan, num_classes)

    def base(self, plan: Plan) -> Plan:
        """Return the grid plan whose trained network is compressed."""
        assert isinstance(plan.options, CompressionOptions)
        return plan.options.base(plan)

    def load_base(self, network: MultiExitNetwork, weights: Path) -> None:
        """Give head, tail and exit head the base's weights."""
        from dynsearch.network.weights.files import load_weights

        load_weights(cast("CompressedNetwork", network).base, weights)


FAMILY = CompressionFamily()
