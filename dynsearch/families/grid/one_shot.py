"""The one-shot network: one backbone with a head on every cell of the grid, for any frame order."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import nn

from dynsearch.errors import PlanError
from dynsearch.families.grid.cells import Reader, read_cells, take_frames, vectors_at
from dynsearch.network import ExitHead, PlannedNetwork
from dynsearch.network.backbone.backbone import Backbone, check_branches
from dynsearch.network.backbone.shift import attach_shifts
from dynsearch.network.clips import check_clips
from dynsearch.network.heads import build_head, head_slots, reads_as_timm
from dynsearch.network.multi_exit import HeadedNetwork
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
        self.dropout = dropout
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
                    self.heads[self._name(cell)] = self.new_head(cell)
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
        frames_per_set = self.frames_per_set(order)
        frame_cells = [(cell.sets * frames_per_set, cell.depth) for cell in cells]
        times = order.frame_indices(frames_per_set)[: max(frames for frames, _ in frame_cells)]
        state = self._fed(clips_BTCHW, order, shift, times)
        heads = [self.head(cell) for cell in frame_cells]
        return torch.stack(read_cells(self.backbone, self.readers, state, times, frame_cells, heads))

    def frame_vectors(
        self, clips_BTCHW: torch.Tensor, order: FrameOrder, shift: TemporalShift, cells: Sequence[Exit]
    ) -> dict[int, torch.Tensor]:
        """Return for each depth of ``cells`` the features of the frames seen there, (B, T', C); as of forward."""
        frames_per_set = self.frames_per_set(order)
        seen: dict[int, int] = {}
        for cell in cells:
            seen[cell.depth] = max(seen.get(cell.depth, 0), cell.sets * frames_per_set)
        times = order.frame_indices(frames_per_set)[: max(seen.values())]
        state = self._fed(clips_BTCHW, order, shift, times)
        return vectors_at(self.backbone, self.readers, state, len(times), seen)

    def _fed(
        self, clips_BTCHW: torch.Tensor, order: FrameOrder, shift: TemporalShift, times: Sequence[int]
    ) -> torch.Tensor:
        """Return the frames at ``times`` as a batch, the shifts told of them."""
        check_clips(clips_BTCHW, self.plan)
        own = self.plan.temporal_shift
        if shift.kind != "none" and shift != replace(own, across_groups=shift.across_groups):
            raise PlanError(f"the trunk has {own}, asked for {shift}", where="temporal_shift")
        self.history.begin(0, len(times), shift.restarts(order, self.frames_per_set(order)))
        self.history.still = shift.kind == "none"
        return take_frames(clips_BTCHW, times)

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

    def new_head(self, cell: tuple[int, int]) -> ExitHead:
        """Return a head like that of a cell, freshly initialised."""
        channels = self.backbone.stages[cell[1] - 1].layout.channels
        return build_head(self._kind(cell), channels, self.num_classes, self.dropout, self.plan.num_frames)

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

    def of_order(self) -> dict[str, torch.Tensor]:
        """Return the weights that are another's for each frame order: the heads, and statistics of normalisations."""
        common = {f"backbone.{name}" for name, _ in self.backbone.named_parameters()}
        return {name: value for name, value in self.state_dict().items() if name not in common}

    def _kind(self, cell: tuple[int, int]) -> str:
        early, last = head_kinds(self.plan.head)
        return last if cell == (self.plan.num_frames, self.plan.exits.last.depth) else early

    def _name(self, cell: tuple[int, int]) -> str:
        return f"{self._kind(cell) if self.share_heads else cell[0]}x{cell[1]}"


class FedNetwork(HeadedNetwork):
    """A one-shot network as one trunk feeds it: all cells of the trunk's grid that have heads are its exits.

    Args:
        network: The one-shot network.
        trunk: Says the order, its groups and the shift.
    """

    def __init__(self, network: OneShotNetwork, trunk: Plan) -> None:
        super().__init__(trunk, network.num_classes)
        self.network = network
        self.cells = grid_cells(trunk, network.first_depth)
        self._frames = [(trunk.frames_seen(cell), cell.depth) for cell in self.cells]
        self._times = trunk.frame_order.frame_indices(trunk.frames_per_set)
        self._feed = (trunk.frame_order, trunk.temporal_shift, self.cells)

    def forward(self, clips_BTCHW: torch.Tensor) -> torch.Tensor:
        """Return the logits of all cells, (E, B, K), by sets, then by depth."""
        logits_EBK: torch.Tensor = self.network(clips_BTCHW, *self._feed)
        return logits_EBK

    @property
    def head_depths(self) -> tuple[int, ...]:
        """The cells' depths."""
        return tuple(cell.depth for cell in self.cells)

    def head(self, exit_: int) -> ExitHead:
        """Return the head of a cell, by its place among the cells."""
        return self.network.head(self._frames[exit_])

    def new_head(self, exit_: int) -> ExitHead:
        """Return a head like that of a cell, freshly initialised."""
        return self.network.new_head(self._frames[exit_])

    def frame_vectors(self, clips_BTCHW: torch.Tensor) -> dict[int, torch.Tensor]:
        """Return for each depth with heads the features of all frames, (B, T, C), in the order fed."""
        return self.network.frame_vectors(clips_BTCHW, *self._feed)

    def times_seen(self, exit_: int) -> Sequence[int]:
        """Return the positions in time of the frames that a cell has seen, in the order fed."""
        return self._times[: self._frames[exit_][0]]


def has_heads_of(plan: Plan, max_depth: int) -> bool:
    """Return whether a one-shot network of that depth has a head of the right kind for every exit of ``plan``."""
    early, last = head_kinds(plan.head)
    return early == last or plan.exits.last == Exit(plan.num_sets, max_depth)


def grid_cells(trunk: Plan, first_depth: int) -> list[Exit]:
    """Return all cells of the trunk's grid that have heads, by sets, then by depth; the last cell is last."""
    depths = range(first_depth, trunk.exits.last.depth + 1)
    return [Exit(sets, depth) for sets in range(1, trunk.num_sets + 1) for depth in depths]
