"""The family ``grid``: a backbone over frames x depth, with exits on its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dynsearch.families.family import Family
from dynsearch.families.grid.choices import GridChoices
from dynsearch.plan import Plan

if TYPE_CHECKING:
    from dynsearch.families.grid.cost import CostTable
    from dynsearch.families.grid.network import GridNetwork
    from dynsearch.families.grid.online import OnlineClip
    from dynsearch.network import MultiExitNetwork
    from dynsearch.network.weights.loaded import Loaded
    from dynsearch.plan.starting_weights import Weights
    from dynsearch.thresholds import ExitPolicy


class GridFamily(Family):
    """Networks on the grid of N frame sets x M depth stages."""

    choices = GridChoices
    one_shot = True
    part_names = ("backbone", "heads")

    def build(self, plan: Plan, num_classes: int, *, dropout: float = 0.0) -> GridNetwork:
        """Return the grid network of ``plan``."""
        from dynsearch.families.grid.network import GridNetwork

        return GridNetwork(plan, num_classes, dropout=dropout)

    def cost(self, plan: Plan, num_classes: int) -> CostTable:
        """Return the cost of every cell and exit."""
        from dynsearch.families.grid.cost import grid_cost

        return grid_cost(plan, num_classes)

    def start(
        self, network: MultiExitNetwork, *, pretrained: bool, weights: Weights | None
    ) -> tuple[Loaded, ...]:
        """Give the backbone its starting weights, and the heads theirs if the file has any that fit."""
        from dynsearch.network.weights.loaded import HeadPlace
        from dynsearch.network.weights.start import start_backbones

        grid = cast("GridNetwork", network)
        places = [
            HeadPlace(str(exit_), exit_.depth, exit_.depth == grid.backbone.num_stages, grid.head(k))
            for k, exit_ in enumerate(grid.plan.exits.exits)
        ]
        return start_backbones(network, pretrained=pretrained, weights=weights, heads=places)

    def online(self, network: MultiExitNetwork, policy: ExitPolicy) -> OnlineClip | None:
        """Return a clip of which every frame is computed when it arrives, if the plan's order is that of time."""
        from dynsearch.families.grid.online import OnlineClip, feeds_in_time

        return OnlineClip(cast("GridNetwork", network), policy) if feeds_in_time(network.plan) else None


FAMILY = GridFamily()
