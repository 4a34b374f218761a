"""The cost of every grid cell and exit of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import torch
from torch import nn

from dynsearch.cost.counter import count_macs, count_parameters
from dynsearch.errors import PlanError
from dynsearch.network.grid.backbone import create_timm_model, cut_into_stages
from dynsearch.network.grid.heads import build_head
from dynsearch.plan import Plan
from dynsearch.units import to_gflops


@dataclass(frozen=True)
class PartCost:
    """Cost of one stage for one frame, or of one head for one video.

    Attributes:
        macs: Multiply-accumulates.
        parameters: Number of parameters.
        channels: Channels that come out.
    """

    macs: int
    parameters: int
    channels: int


@dataclass(frozen=True)
class CostTable:
    """What a plan's network costs.

    An exit at (i sets, j stages) is reached when stages 1..j have run on the frames of i sets and the heads
    of all exits up to it have run once, on averaged features.

    Attributes:
        plan: The plan.
        stages: Cost per frame of each stage up to the deepest exit.
        heads: Cost per video of each exit's head.
    """

    plan: Plan
    stages: tuple[PartCost, ...]
    heads: tuple[PartCost, ...]

    @property
    def parameters(self) -> int:
        """Number of parameters of the whole network."""
        return sum(part.parameters for part in (*self.stages, *self.heads))

    @property
    def frame_gmacs(self) -> tuple[float, ...]:
        """Cumulative GFLOPs of one frame after each stage, without heads."""
        return tuple(map(to_gflops, accumulate(stage.macs for stage in self.stages)))

    def cell_macs(self, sets: int, depth: int) -> int:
        """Return the multiply-accumulates of the rectangle of ``sets`` x ``depth`` cells, without heads."""
        per_frame = sum(stage.macs for stage in self.stages[:depth])
        return sets * self.plan.frames_per_set * per_frame

    @property
    def gmacs_E(self) -> tuple[float, ...]:
        """Cumulative GFLOPs per video at each exit."""
        heads = accumulate(head.macs for head in self.heads)
        exits = self.plan.exits.exits
        return tuple(
            to_gflops(self.cell_macs(exit_.sets, exit_.depth) + met)
            for exit_, met in zip(exits, heads, strict=True)
        )


def cost_table(plan: Plan, num_classes: int) -> CostTable:
    """Return the cost of every cell and exit of ``plan``.

    The backbone is counted once per image size; a table for another plan on it is arithmetic.

    Args:
        plan: The plan.
        num_classes: K, the number of classes.

    Raises:
        PlanError: The backbone is unknown or can't be cut, or an exit lies outside its grid.
    """
    stages = stage_costs(plan.backbone, plan.image_size)
    depth = plan.exits.last.depth
    if depth > len(stages):
        raise PlanError(
            f"an exit at depth {depth} lies outside the grid: {plan.backbone} has {len(stages)} stages",
            where="exits",
        )
    heads = tuple(
        head_cost(plan.head, stages[exit_.depth - 1].channels, num_classes) for exit_ in plan.exits.exits
    )
    return CostTable(plan, stages[:depth], heads)


@lru_cache
def stage_costs(backbone: str, image_size: int) -> tuple[PartCost, ...]:
    """Return the cost per frame of all M stages of a backbone, counted on the network itself."""
    with torch.device("meta"):
        model = create_timm_model(backbone).eval()
        x = torch.empty(1, 3, image_size, image_size)
    costs = []
    for stage in cut_into_stages(model, backbone):
        parts = nn.Sequential(*(getattr(model, part) for part in stage.parts))
        costs.append(PartCost(count_macs(parts, x), count_parameters(parts), stage.channels))
        x = parts(x)
    return tuple(costs)


@lru_cache
def head_cost(kind: str, channels: int, num_classes: int) -> PartCost:
    """Return the cost per video of an exit head on ``channels`` averaged features."""
    with torch.device("meta"):
        head = build_head(kind, channels, num_classes, dropout=0.0).eval()
        features = torch.empty(1, channels)
    return PartCost(count_macs(head, features), count_parameters(head), num_classes)
