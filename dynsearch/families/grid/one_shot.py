"""The one-shot network: one backbone with a head on every cell of the grid, for any frame order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import nn

from dynsearch.errors import PlanError
from dynsearch.families.grid.cells import Reader, read_cells, take_frames
from dynsearch.network import ExitHead, PlannedNetwork
from dynsearch.network.backbone.backbone import Backbone, check_branches
from dynsearch.network.backbone.shift import attach_shifts
from dynsearch.network.clips import check_clips
from dynsearch.network.heads import build_head, head_slots, reads_as_timm
from dynsearch.plan import Exit, FrameOrder, Plan, TemporalShift
from dynsearch.plan.heads import head_kinds


class OneShotNetwork(PlannedNetwork):
    """Computes any cells of the grid under any frame order; its weights stand in for those of many plans.

    It is built of the same parts as the plans' own networks: a plan's network with its weights gives its logits.

    Args:
        trunk: A plan whose only exit is the last cell of its grid. Its frame order is not used: any order of its
            sets may be fed, and orders of larger sets that are made of them.
        num_classes: K, the number of classes.
        first_depth: The shallowest depth that has heads.
        share_heads: Whether the cells at one depth share a head, whatever number of frames they have seen.
        dropout: Dropout before each classifier, active in training only.

    Raises:
        PlanError: The backbone is unknown or can't be cut, or the trunk's exit is not its last cell.
    """

    def __init__(
        self,
        trunk: Plan,
        num_classes: int,
        *,
        first_depth: int = 1,
        share_heads: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(trunk, num_classes)
        last = trunk.exits.last
        if len(trunk.exits) > 1 or last.sets != trunk.num_sets or not 1 <= first_depth <= last.depth:
            raise PlanError(f"a trunk has one exit, after all sets, got {trunk.exits}", where="exits")
        check_branches(trunk.temporal_shift, trunk.backbone, trunk.image_size)
        self.first_depth = first_depth
        self.share_heads = share_heads
        self.backbone = Backbone(
            trunk.backbone, trunk.image_size, last.depth, trunk.stages, as_timm=reads_as_timm(trunk)
        )
        self.history = attach_shifts(self.backbone, trunk.temporal_shift)
        self.heads = nn.ModuleDict()
        readers = []
        for depth, stage in enumerate(self.backbone.stages, start=1):
            cells = [(sets * trunk.frames_per_set, depth) for sets in range(1, trunk.num_sets + 1)]
            for cell in cells if depth >= first_depth else ():
                if self._name(cell) not in self.heads:
                    head = build_head(
                        self._kind(cell), stage.layout.channels, num_classes, dropout, trunk.num_frames
                    )
                    self.heads[self._name(cell)] = head
            readers.append(Reader.of(stage, (self.head(cell) for cell in cells if depth >= first_depth)))
        self.readers = tuple(readers)

    @property
    def backbones(self) -> tuple[Backbone, ...]:
        """The backbone."""
        return (self.backbone,)

    def forward(
        self, clips_BTCHW: torch.Tensor, order: FrameOrder, shift: TemporalShift, cells: Sequence[Exit]
    ) -> torch.Tensor:
        """Return the logits of ``cells``, (E, B, K).

        Args:
            clips_BTCHW: Clips with their T frames in temporal order.
            order: An order of the trunk's sets, or of larger ones.
            shift: ``none`` or ``online``.
            cells: E cells in sets of ``order``, in any sequence.

        Raises:
            PlanError: The clips, the order, the shift or a cell does not fit the trunk.
        """
        plan = self.plan
        check_clips(clips_BTCHW, plan)
        frames_per_set = self.frames_per_set(order)
        if shift.kind != "none" and shift != replace(plan.temporal_shift, across_groups=shift.across_groups):
            raise PlanError(f"the trunk has {plan.temporal_shift}, asked for {shift}", where="temporal_shift")
        frame_cells = [(cell.sets * frames_per_set, cell.depth) for cell in cells]
        times = order.frame_indices(frames_per_set)[: max(frames for frames, _ in frame_cells)]
        self.history.begin(0, len(times), shift.restarts(order, frames_per_set))
        self.history.still = shift.kind == "none"
        state = take_frames(clips_BTCHW, times)
        heads = [self.head(cell) for cell in frame_cells]
        return torch.stack(read_cells(self.backbone, self.readers, state, times, frame_cells, heads))

    def frames_per_set(self, order: FrameOrder) -> int:
        """Return how many frames a set of ``order`` holds.

        Raises:
            PlanError: Its sets are not made of whole sets of the trunk.
        """
        if self.plan.num_sets % order.num_sets:
            raise PlanError(
                f"{order.num_sets} sets can't be made of the trunk's {self.plan.num_sets}",
                where="frame_order",
            )
        return self.plan.num_frames // order.num_sets

    def head(self, cell: tuple[int, int]) -> ExitHead:
        """Return the head of a cell, (frames seen, depth).

        Raises:
            PlanError: The cell has none.
        """
        name = self._name(cell)
        if name not in self.heads or cell[0] > self.plan.num_frames:
            raise PlanError(f"there is no head after {cell[0]} frames at depth {cell[1]}", where="exits")
        return cast(ExitHead, self.heads[name])

    def weights_of(self, plan: Plan) -> dict[str, torch.Tensor]:
        """Return the weights that ``plan``'s own network begins with; a head of another kind is left out.

        Raises:
            PlanError: An exit has no cell here.
        """
        state = {f"backbone.{name}": value for name, value in self.backbone.state_dict().items()}
        for slot, exit_ in zip(head_slots(plan), plan.exits.exits, strict=True):
            cell = (plan.frames_seen(exit_), exit_.depth)
            head = self.head(cell)
            if slot.kind == self._kind(cell):
                state |= {f"heads.{slot.index}.{name}": value for name, value in head.state_dict().items()}
        return state

    def _kind(self, cell: tuple[int, int]) -> str:
        early, last = head_kinds(self.plan.head)
        return last if cell == (self.plan.num_frames, self.plan.exits.last.depth) else early

    def _name(self, cell: tuple[int, int]) -> str:
        return f"{self._kind(cell) if self.share_heads else cell[0]}x{cell[1]}"
