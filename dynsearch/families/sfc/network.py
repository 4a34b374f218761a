"""A grid network cut into a head and a tail, with a compression between them."""

from __future__ import annotations

import torch

from dynsearch.errors import PlanError
from dynsearch.families.grid.cells import as_batch
from dynsearch.families.grid.network import GridNetwork
from dynsearch.families.sfc.compression import Compression
from dynsearch.families.sfc.options import CompressionOptions
from dynsearch.network import Kept, MultiExitNetwork
from dynsearch.network.clips import check_clips
from dynsearch.plan import Plan


class CompressedNetwork(MultiExitNetwork):
    """The head sees all frames, the tail the few that compression makes of them.

    Head, tail and exit head are those of a trained network (``base``) and stay as they are: only the compression is
    trained. Every exit compresses all frames seen so far, and reads the tail's answer with the same exit head.

    Args:
        plan: A plan of family ``sfc``.
        num_classes: K.

    Attributes:
        base: The trained network; its weights are to be loaded.

    Raises:
        PlanError: The backbone is unknown or can't be cut, or the split lies outside it.
    """

    def __init__(self, plan: Plan, num_classes: int) -> None:
        super().__init__(plan, num_classes)
        options = plan.options
        assert isinstance(options, CompressionOptions)
        self.options = options
        self.base = GridNetwork(options.base(plan), num_classes).requires_grad_(False)
        self.layout = self.base.backbone.stages[options.split - 1].layout
        if self.base.readers[-1].sequence:
            raise PlanError(
                f"{plan.head} reads frames at their positions in time, which compressed frames have not",
                where="head",
                hint="Use one that reads their mean: linear, conv",
            )
        is_map = len(self.layout.shape) == 4
        if not is_map and options.side_ratio > 1:
            raise PlanError(
                f"stage {options.split} of {plan.backbone} hands on no maps, so that sides can't get shorter",
                where="options.side_ratio",
            )
        side = self.layout.map_shape[1] if is_map else None
        self.compression = Compression(self.layout.channels, side, options.side_ratio)
        self.frames_in_order = list(plan.frame_order.frame_indices(plan.frames_per_set))
        self.ends = [plan.frames_seen(exit_) for exit_ in plan.exits.exits]
        self._restarts = plan.temporal_shift.restarts(plan.frame_order, plan.frames_per_set)

    def train(self, mode: bool = True) -> CompressedNetwork:
        """Set training mode; the base stays in evaluation mode, with its batch statistics."""
        super().train(mode)
        self.base.eval()
        return self

    def forward(self, clips_BTCHW: torch.Tensor) -> torch.Tensor:
        """Return the logits of all exits, (E, B, K), for clips whose frames are in temporal order.

        Raises:
            PlanError: The clips have another shape than the plan.
        """
        check_clips(clips_BTCHW, self.plan)
        with torch.no_grad():
            features_BTPC = self.head_features(clips_BTCHW[:, self.frames_in_order[: self.ends[-1]]])
        return torch.stack([self.logits_of(features_BTPC[:, :end]) for end in self.ends])

    def head_features(self, frames_BTCHW: torch.Tensor, start: int = 0) -> torch.Tensor:
        """Return what the head makes of frames fed from position ``start`` on, (B, T, P, C)."""
        num_videos, count = frames_BTCHW.shape[:2]
        self.base.history.begin(start, start + count, self._restarts)
        state = as_batch(frames_BTCHW)
        for stage in range(self.options.split):
            state = self.base.backbone.forward_stage(state, stage)
        if not isinstance(state, torch.Tensor):
            raise PlanError(
                f"stage {self.options.split} of {self.plan.backbone} hands on maps of several scales, compression "
                "needs one",
                where="backbone",
            )
        rows = state.movedim(self.layout.axis, -1)
        return rows.reshape(num_videos, count, -1, rows.shape[-1])

    def logits_of(self, features_BTPC: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, K) for the head's features of the frames seen."""
        num_frames = self.options.frames_left(features_BTPC.shape[1])
        return self.tail_logits(self.compression(features_BTPC, num_frames))

    def tail_logits(self, features_BTPC: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, K) for compressed features."""
        base, num_frames = self.base, features_BTPC.shape[1]
        base.history.begin(0, num_frames, (0,))
        state = self._to_state(features_BTPC.flatten(0, 1))
        for stage in range(self.options.split, len(base.backbone.stages)):
            state = base.backbone.forward_stage(state, stage)
        reader, head = base.readers[-1], base.head(0)
        mean = reader.read(base.backbone, state).unflatten(0, (-1, num_frames)).mean(dim=1)
        return reader.answer(head, mean, None, ())

    def _to_state(self, rows_RPC: torch.Tensor) -> torch.Tensor:
        """Return compressed places as the tail's first stage takes them."""
        if len(self.layout.shape) == 2:
            return rows_RPC[:, 0]
        if len(self.layout.shape) == 4:
            side = -(-self.layout.map_shape[1] // self.options.side_ratio)
            rows_RPC = rows_RPC.unflatten(1, (side, side))
        return rows_RPC.movedim(-1, self.layout.axis).contiguous()

    def frames_at(self, k: int) -> list[int]:
        """Return the positions in time of the frames not seen before exit ``k``."""
        return self.frames_in_order[k and self.ends[k - 1] : self.ends[k]]

    def step(self, k: int, frames_BTCHW: torch.Tensor | None, kept: Kept) -> tuple[torch.Tensor, Kept]:
        """Return the logits (B, K) of exit ``k``: new frames pass the head, all pass compression and tail.

        The head's ``features`` (B, T, P, C) are kept, and the tails of its shift.
        """
        assert frames_BTCHW is not None
        more = k + 1 < len(self.ends)
        with self.base.history.going_on(kept, more=more) as tails:
            features_BTPC = self.head_features(frames_BTCHW, k and self.ends[k - 1])
        if k:
            features_BTPC = torch.cat([kept["features"], features_BTPC], dim=1)
        return self.logits_of(features_BTPC), {"features": features_BTPC, **tails} if more else {}
