"""What a grid network is made of: a backbone in stages, its temporal shift, and heads that read some cells."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn

from dynsearch.families.grid.cells import Reader, take_frames
from dynsearch.network import ExitHead
from dynsearch.network.backbone.backbone import Backbone, check_branches
from dynsearch.network.backbone.shift import attach_shifts
from dynsearch.network.heads import build_head, head_slots, reads_as_timm
from dynsearch.network.multi_exit import HeadedNetwork, MultiExitNetwork
from dynsearch.plan import Plan


class GridParts(MultiExitNetwork, HeadedNetwork):
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
        self.backbone = Backbone(
            plan.backbone, plan.image_size, plan.exits.last.depth, plan.stages, as_timm=reads_as_timm(plan)
        )
        self.history = attach_shifts(self.backbone, plan.temporal_shift)
        self.dropout = dropout
        first = {slot.index: k for k, slot in reversed(list(enumerate(self.slots)))}
        self.heads = nn.ModuleList(self.new_head(first[index]) for index in sorted(first))
        self.readers = tuple(
            Reader.of(stage, (self.head(k) for k, slot in enumerate(self.slots) if slot.depth == d))
            for d, stage in enumerate(self.backbone.stages, start=1)
        )
        self.frames_in_order = list(plan.frame_order.frame_indices(plan.frames_per_set))

    @property
    def backbones(self) -> tuple[Backbone, ...]:
        """The one backbone."""
        return (self.backbone,)

    @property
    def head_depths(self) -> tuple[int, ...]:
        """The exits' depths."""
        return tuple(slot.depth for slot in self.slots)

    def head(self, exit_: int) -> ExitHead:
        """Return the head of an exit, counted from 0."""
        return cast(ExitHead, self.heads[self.slots[exit_].index])

    def new_head(self, exit_: int) -> ExitHead:
        """Return a head like that of an exit, freshly initialised."""
        slot, plan = self.slots[exit_], self.plan
        channels = self.backbone.stages[slot.depth - 1].layout.channels
        return build_head(slot.kind, channels, self.num_classes, self.dropout, plan.num_frames)

    def times_seen(self, exit_: int) -> Sequence[int]:
        """Return the positions in time of the frames that an exit has seen, in the order fed."""
        return self.frames_in_order[: self.plan.frames_seen(self.plan.exits.exits[exit_])]

    def frames(self, clips_BTCHW: torch.Tensor, start: int, stop: int) -> torch.Tensor:
        """Return the frames fed from position ``start`` up to ``stop``, as a batch (B x T', C, H, W)."""
        return take_frames(clips_BTCHW, self.frames_in_order[start:stop])

    def begin_pass(self, start: int, stop: int) -> None:
        """Tell the shifts that the frames fed from position ``start`` up to ``stop`` come next."""
        plan = self.plan
        restarts = plan.temporal_shift.restarts(plan.frame_order, plan.frames_per_set)
        self.history.begin(start, stop, restarts)
