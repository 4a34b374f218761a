"""What a grid network is made of: a backbone in stages, its temporal shift, and heads that read some cells."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from dynsearch.families.grid.cells import Reader, take_frames
from dynsearch.network import ExitHead, MultiExitNetwork
from dynsearch.network.backbone.backbone import Backbone, check_branches
from dynsearch.network.backbone.shift import attach_shifts
from dynsearch.network.heads import build_head, head_slots
from dynsearch.plan import Plan


class GridParts(MultiExitNetwork):
    """The layers of a grid network, and what feeds them; :class:`GridNetwork` runs them.

    Args:
        plan: A plan of family ``grid``.
        num_classes: K, the number of classes.
        dropout: Dropout before each classifier, active in training only.

    Raises:
        PlanError: The backbone is unknown or can't be cut, or an exit lies outside its grid.
    """

    def __init__(self, plan: Plan, num_classes: int, *, dropout: float = 0.0) -> None:
        super().__init__(plan, num_classes)
        self.slots = head_slots(plan)
        check_branches(plan.temporal_shift, plan.backbone, plan.image_size)
        self.backbone = Backbone(plan.backbone, plan.image_size, plan.exits.last.depth, plan.stages)
        self.history = attach_shifts(self.backbone.residual_branches(), plan)
        layouts = [stage.layout for stage in self.backbone.stages]
        distinct = {slot.index: slot for slot in self.slots}
        self.heads = nn.ModuleList(
            build_head(slot.kind, layouts[slot.depth - 1].channels, num_classes, dropout, plan.num_frames)
            for slot in distinct.values()
        )
        self.readers = tuple(
            Reader.of(layout, (self.head(k) for k, slot in enumerate(self.slots) if slot.depth == d))
            for d, layout in enumerate(layouts, start=1)
        )
        self.frames_in_order = list(plan.frame_order.frame_indices(plan.frames_per_set))

    @property
    def backbones(self) -> tuple[Backbone, ...]:
        """The one backbone."""
        return (self.backbone,)

    def head(self, exit_: int) -> ExitHead:
        """Return the head of an exit, counted from 0."""
        return cast(ExitHead, self.heads[self.slots[exit_].index])

    def frames(self, clips_BTCHW: torch.Tensor, start: int, stop: int) -> torch.Tensor:
        """Return the frames fed from position ``start`` up to ``stop``, as a batch (B x T', C, H, W)."""
        return take_frames(clips_BTCHW, self.frames_in_order[start:stop])

    def begin_pass(self, start: int, stop: int, *, keep_tails: bool = False) -> None:
        """Tell the shifts that the frames fed from position ``start`` up to ``stop`` come next."""
        plan = self.plan
        restarts = plan.temporal_shift.restarts(plan.frame_order, plan.frames_per_set)
        self.history.begin(start, stop, restarts)
        self.history.keep_tails = keep_tails
