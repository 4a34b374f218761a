"""The grid network: a backbone over frames x depth, with exits (paper section 3.2, Fig. 2d)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from dynsearch.network.clips import check_clips
from dynsearch.network.costed import Costed
from dynsearch.network.grid.backbone import Backbone, check_shift
from dynsearch.network.grid.heads import build_head, head_slots
from dynsearch.network.grid.layout import Layout, State, features_of
from dynsearch.network.grid.progressive import run_until
from dynsearch.network.grid.shift import attach_shifts
from dynsearch.network.progress import ProgressiveResult
from dynsearch.plan import Plan
from dynsearch.thresholds import ExitPolicy


class GridNetwork(Costed, nn.Module):
    """A multi-exit network on the grid of N frame sets x M depth stages.

    :meth:`forward` computes every exit at once, for training and scoring. :meth:`forward_until` goes from
    exit to exit and stops. Both are the same function: stopping at an exit gives the logits that the dense
    forward gives there.

    Args:
        plan: A plan of family ``grid``.
        num_classes: K, the number of classes.
        dropout: Dropout before each classifier, active in training only.

    Raises:
        PlanError: The backbone is unknown or can't be cut, or an exit lies outside its grid.
    """

    def __init__(self, plan: Plan, num_classes: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.plan = plan
        self.num_classes = num_classes
        self.slots = head_slots(plan)
        check_shift(plan)
        self.backbone = Backbone(plan.backbone, plan.image_size, plan.exits.last.depth, plan.stages)
        self.history = attach_shifts(self.backbone.residual_branches(), plan)
        layouts = [stage.layout for stage in self.backbone.stages]
        distinct = {slot.index: slot for slot in self.slots}
        self.heads = nn.ModuleList(
            build_head(slot.kind, layouts[slot.depth - 1].channels, num_classes, dropout)
            for slot in distinct.values()
        )
        self.readers = tuple(
            Reader(
                layout,
                maps=any(self.head(k).wants_maps for k, slot in enumerate(self.slots) if slot.depth == d),
            )
            for d, layout in enumerate(layouts, start=1)
        )
        self.frames_in_order = list(plan.frame_order.frame_indices(plan.frames_per_set))

    @property
    def backbones(self) -> tuple[Backbone, ...]:
        """The one backbone."""
        return (self.backbone,)

    def head(self, exit_: int) -> Any:
        """Return the head of an exit, counted from 0."""
        return self.heads[self.slots[exit_].index]

    def forward(self, clips_BTCHW: torch.Tensor) -> torch.Tensor:
        """Return the logits of all exits.

        Args:
            clips_BTCHW: Clips with their T frames in temporal order.

        Returns:
            Logits, (E, B, K).

        Raises:
            PlanError: The clips have another shape than the plan.
        """
        check_clips(clips_BTCHW, self.plan)
        plan = self.plan
        num_frames = plan.frames_seen(plan.exits.last)
        state = self.frames(clips_BTCHW, 0, num_frames)
        self.begin_pass(0, num_frames)
        cells = [(plan.frames_seen(exit_), exit_.depth) for exit_ in plan.exits.exits]
        heads = [self.head(k) for k in range(len(cells))]
        return torch.stack(read_cells(self.backbone, self.readers, state, num_frames, cells, heads))

    @torch.inference_mode()
    def forward_until(self, clips_BTCHW: torch.Tensor, policy: ExitPolicy) -> ProgressiveResult:
        """Run from exit to exit; videos that are sure enough leave the batch and cost nothing more.

        Args:
            clips_BTCHW: Clips with their T frames in temporal order.
            policy: Confidence measure and thresholds T_k.

        Raises:
            PlanError: The clips have another number of frames than the plan.
            PolicyError: The policy is for another number of exits or another plan.
        """
        return run_until(self, clips_BTCHW, policy)

    def frames(self, clips_BTCHW: torch.Tensor, start: int, stop: int) -> torch.Tensor:
        """Return the frames fed from position ``start`` up to ``stop``, as a batch (B x T', C, H, W)."""
        return take_frames(clips_BTCHW, self.frames_in_order[start:stop])

    def begin_pass(self, start: int, stop: int, *, keep_tails: bool = False) -> None:
        """Tell the shifts that the frames fed from position ``start`` up to ``stop`` come next."""
        plan = self.plan
        restarts = plan.temporal_shift.restarts(plan.frame_order, plan.frames_per_set)
        self.history.begin(start, stop, restarts)
        self.history.keep_tails = keep_tails


@dataclass(frozen=True)
class Reader:
    """Takes from a stage what the exits behind it need, and no more.

    Attributes:
        layout: Of the stage's features.
        maps: Whether some exit there needs maps; else features are averaged over space at once.
    """

    layout: Layout
    maps: bool

    def __post_init__(self) -> None:
        if self.maps:
            _ = self.layout.map_shape  # Says so if there is no map.

    def read(self, state: State) -> torch.Tensor:
        """Return the features per frame, (B x T, C) or (B x T, C, H, W)."""
        features = features_of(state)
        return self.layout.to_map(features) if self.maps else self.layout.pool(features)

    def for_head(self, mean: torch.Tensor, *, maps: bool) -> torch.Tensor:
        """Return features averaged over frames as a head wants them: maps, or averaged over space too."""
        return mean.mean(dim=(2, 3)) if self.maps and not maps else mean


def take_frames(clips_BTCHW: torch.Tensor, frames: Sequence[int]) -> torch.Tensor:
    """Return the frames at these positions in time, in this order, as a batch (B x T', C, H, W)."""
    x = clips_BTCHW[:, list(frames)].flatten(0, 1)
    return x.contiguous(memory_format=torch.channels_last)


def read_cells(
    backbone: Backbone,
    readers: Sequence[Reader],
    state: State,
    num_frames: int,
    cells: Sequence[tuple[int, int]],
    heads: Sequence[Any],
) -> list[torch.Tensor]:
    """Return the logits (B, K) of cells of the grid, computing every stage once.

    Args:
        backbone: The backbone, as deep as there are readers.
        readers: Of each depth stage.
        state: The frames fed, (B x T', C, H, W).
        num_frames: T', how many each video has.
        cells: Of each cell the number of frames seen and the depth.
        heads: Of each cell.
    """
    logits: dict[int, torch.Tensor] = {}
    deepest = max(depth for _, depth in cells)
    for depth, reader in enumerate(readers[:deepest], start=1):
        state = backbone.forward_stage(state, depth - 1)
        here = [k for k, cell in enumerate(cells) if cell[1] == depth]
        if here:
            read = reader.read(state).unflatten(0, (-1, num_frames))
            for k in here:
                mean = mean_of_first(read, cells[k][0])
                logits[k] = heads[k](reader.for_head(mean, maps=heads[k].wants_maps))
    return [logits[k] for k in range(len(cells))]


def mean_of_first(read: torch.Tensor, num_frames: int) -> torch.Tensor:
    """Return features per frame, (B, T, C) or (B, T, C, H, W), averaged over the first ``num_frames``."""
    if read.ndim == 5 and read.requires_grad:
        # Maps and their gradients keep their layout in memory, channels last.
        return read.movedim(2, -1)[:, :num_frames].mean(dim=1).movedim(-1, 1)
    return read[:, :num_frames].mean(dim=1)
