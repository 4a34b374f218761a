"""The cost of every grid cell and exit of a plan."""

from dataclasses import dataclass

from dynsearch.cost.backbone import BackboneCost, PartCost, backbone_cost, head_cost
from dynsearch.cost.parts import NetworkCost, Part
from dynsearch.measures import in_units
from dynsearch.network.backbone.backbone import check_depth
from dynsearch.network.heads import head_slots, reads_as_timm
from dynsearch.plan import Plan


@dataclass(frozen=True)
class CostTable(NetworkCost):
    """What a grid plan's network costs, cell by cell.

    An exit at (i sets, j stages) is reached when stages 1..j have run on the frames of i sets and the heads
    of all exits up to it have run once, on averaged features.

    Attributes:
        backbone: Cost per frame of the backbone, stages deeper than the last exit included.
        heads: Cost of using each exit's head once.
    """

    backbone: BackboneCost
    heads: tuple[PartCost, ...]

    @property
    def stages(self) -> tuple[PartCost, ...]:
        """Cost per frame of each stage up to the deepest exit."""
        return self.backbone.stages[: self.plan.exits.last.depth]

    @property
    def frame_cost(self) -> tuple[float, ...]:
        """Cumulative cost of one frame after each stage, without heads."""
        return tuple(map(in_units, self.backbone.cumulative_macs[1 : self.plan.exits.last.depth + 1]))

    def cell_macs(self, sets: int, depth: int) -> int:
        """Return the multiply-accumulates of the rectangle of ``sets`` x ``depth`` cells, without heads."""
        return sets * self.plan.frames_per_set * self.backbone.cumulative_macs[depth]

    @property
    def cost_heads_on_frames_E(self) -> tuple[float, ...]:
        """Cumulative cost per video at each exit, as the paper counts: frames x cost of a frame up to there.

        Every frame passes one head at each depth that has exits: that of the last exit met there.
        """
        costs = []
        met: dict[int, int] = {}
        for exit_, head in zip(self.plan.exits.exits, self.heads, strict=True):
            met[exit_.depth] = head.macs
            per_frame = self.backbone.cumulative_macs[exit_.depth] + sum(met.values())
            costs.append(in_units(self.plan.frames_seen(exit_) * per_frame))
        return tuple(costs)


def grid_cost(plan: Plan, num_classes: int) -> CostTable:
    """Return the cost of every cell and exit of a plan of family ``grid``.

    The backbone is counted once per image size; a table for another plan on it is arithmetic.

    Args:
        plan: The plan.
        num_classes: K, the number of classes.

    Raises:
        PlanError: The backbone is unknown or can't be cut, or an exit lies outside its grid.
    """
    backbone = backbone_cost(plan.backbone, plan.image_size, plan.stages, as_timm=reads_as_timm(plan))
    check_depth(plan.backbone, plan.exits.last.depth, len(backbone.stages))
    slots = head_slots(plan)
    exits = plan.exits.exits
    heads = tuple(
        head_cost(
            slot.kind, backbone.layouts[slot.depth - 1], num_classes, plan.num_frames, plan.frames_seen(exit_)
        )
        for slot, exit_ in zip(slots, exits, strict=True)
    )
    parts = []
    for depth, stage in enumerate(backbone.stages[: plan.exits.last.depth], start=1):
        frames_E = tuple(plan.frames_seen(exit_) if exit_.depth >= depth else 0 for exit_ in exits)
        parts.append(
            Part(f"stage {depth} of {plan.backbone}, a frame", stage.macs, stage.parameters, frames_E)
        )
    for k, (slot, head) in enumerate(zip(slots, heads, strict=True)):
        is_new = slot.index not in {earlier.index for earlier in slots[:k]}
        met_E = tuple(int(other >= k) for other in range(len(exits)))
        parts.append(Part(f"head of exit {exits[k]}", head.macs, head.parameters if is_new else 0, met_E))
    return CostTable(plan, tuple(parts), backbone, heads)
