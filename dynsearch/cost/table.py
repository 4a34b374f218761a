"""The cost of every grid cell and exit of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import torch

from dynsearch.cost.counter import count_parameters, run_counted
from dynsearch.errors import PlanError
from dynsearch.network.grid.backbone import check_depth, covers
from dynsearch.network.grid.heads import HeadSlot, build_head, head_slots
from dynsearch.network.grid.layout import Layout
from dynsearch.network.grid.stages import backbone_stages
from dynsearch.network.grid.timm_models import create_timm_model
from dynsearch.plan import Plan
from dynsearch.units import to_gflops


@dataclass(frozen=True)
class PartCost:
    """Cost of one stage for one frame, or of one head for one video.

    Attributes:
        macs: Multiply-accumulates.
        parameters: Number of parameters.
    """

    macs: int
    parameters: int


@dataclass(frozen=True)
class BackboneCost:
    """Cost per frame of a whole backbone.

    Attributes:
        stages: Of each of its M stages.
        cumulative_macs: Multiply-accumulates of the first 0, 1, ..., M stages.
        layouts: Of the features behind each stage.
    """

    stages: tuple[PartCost, ...]
    cumulative_macs: tuple[int, ...]
    layouts: tuple[Layout, ...]


@dataclass(frozen=True)
class CostTable:
    """What a plan's network costs.

    An exit at (i sets, j stages) is reached when stages 1..j have run on the frames of i sets and the heads
    of all exits up to it have run once, on averaged features.

    Attributes:
        plan: The plan.
        backbone: Cost per frame of the backbone, stages deeper than the last exit included.
        slots: Which head each exit uses.
        heads: Cost of using each exit's head once.
    """

    plan: Plan
    backbone: BackboneCost
    slots: tuple[HeadSlot, ...]
    heads: tuple[PartCost, ...]

    @property
    def stages(self) -> tuple[PartCost, ...]:
        """Cost per frame of each stage up to the deepest exit."""
        return self.backbone.stages[: self.plan.exits.last.depth]

    @property
    def parameters(self) -> int:
        """Number of parameters of the whole network."""
        heads = {slot.index: head for slot, head in zip(self.slots, self.heads, strict=True)}
        return sum(part.parameters for part in (*self.stages, *heads.values()))

    @property
    def frame_cost(self) -> tuple[float, ...]:
        """Cumulative GFLOPs of one frame after each stage, without heads."""
        return tuple(map(to_gflops, self.backbone.cumulative_macs[1 : self.plan.exits.last.depth + 1]))

    def cell_macs(self, sets: int, depth: int) -> int:
        """Return the multiply-accumulates of the rectangle of ``sets`` x ``depth`` cells, without heads."""
        return sets * self.plan.frames_per_set * self.backbone.cumulative_macs[depth]

    @property
    def cost_E(self) -> tuple[float, ...]:
        """Cumulative GFLOPs per video at each exit, each head counted once, on the averaged features."""
        heads = accumulate(head.macs for head in self.heads)
        exits = self.plan.exits.exits
        return tuple(
            to_gflops(self.cell_macs(exit_.sets, exit_.depth) + met)
            for exit_, met in zip(exits, heads, strict=True)
        )

    @property
    def cost_heads_on_frames_E(self) -> tuple[float, ...]:
        """Cumulative GFLOPs per video at each exit, as the paper counts: frames x cost of a frame up to there.

        Every frame passes one head at each depth that has exits: that of the last exit met there.
        """
        costs = []
        met: dict[int, int] = {}
        for exit_, head in zip(self.plan.exits.exits, self.heads, strict=True):
            met[exit_.depth] = head.macs
            per_frame = self.backbone.cumulative_macs[exit_.depth] + sum(met.values())
            costs.append(to_gflops(self.plan.frames_seen(exit_) * per_frame))
        return tuple(costs)


def average_cost(cost_E: Sequence[float], exit_share: Sequence[float]) -> float:
    """Return the mean GFLOPs per video when videos leave in the given proportions.

    Args:
        cost_E: Cumulative GFLOPs at each exit.
        exit_share: For each exit a share, a percentage or a number of videos; only proportions matter.

    Raises:
        PlanError: There is not one non-negative number per exit, or they are all zero.
    """
    if len(exit_share) != len(cost_E) or min(exit_share) < 0 or sum(exit_share) <= 0:
        raise PlanError(
            f"needs one non-negative number for each of the {len(cost_E)} exits, got {list(exit_share)}",
            where="exit_share",
        )
    products = (cost * share for cost, share in zip(cost_E, exit_share, strict=True))
    return sum(products) / sum(exit_share)


def grid_cost(plan: Plan, num_classes: int) -> CostTable:
    """Return the cost of every cell and exit of a plan of family ``grid``.

    The backbone is counted once per image size; a table for another plan on it is arithmetic.

    Args:
        plan: The plan.
        num_classes: K, the number of classes.

    Raises:
        PlanError: The backbone is unknown or can't be cut, or an exit lies outside its grid.
    """
    backbone = backbone_cost(plan.backbone, plan.image_size, plan.stages)
    check_depth(plan.backbone, plan.exits.last.depth, len(backbone.stages))
    slots = head_slots(plan)
    heads = tuple(head_cost(slot.kind, backbone.layouts[slot.depth - 1], num_classes) for slot in slots)
    return CostTable(plan, backbone, slots, heads)


@lru_cache
def backbone_cost(name: str, image_size: int, num_stages: int | None = None) -> BackboneCost:
    """Return the cost per frame of all M stages of a backbone, counted on the network itself."""
    stages = backbone_stages(name, image_size, num_stages)
    with torch.device("meta"):
        model = create_timm_model(name, image_size).eval()
        state = torch.empty(1, 3, image_size, image_size)
    costs = []
    counted: set[str] = set()
    for stage in stages:
        macs, state = run_counted(stage.run, model, state)
        own = {name: p.numel() for name, p in model.named_parameters() if covers(stage.parts, name)}
        costs.append(PartCost(macs, sum(size for name, size in own.items() if name not in counted)))
        counted.update(own)
    layouts = tuple(stage.layout for stage in stages)
    cumulative = tuple(accumulate((cost.macs for cost in costs), initial=0))
    return BackboneCost(tuple(costs), cumulative, layouts)


@lru_cache
def head_cost(kind: str, layout: Layout, num_classes: int) -> PartCost:
    """Return the cost of using an exit head once, on features of ``layout``."""
    with torch.device("meta"):
        head = build_head(kind, layout.channels, num_classes, dropout=0.0).eval()
        features = torch.empty(1, *(layout.map_shape if head.wants_maps else (layout.channels,)))
    return PartCost(run_counted(head, features)[0], count_parameters(head))
