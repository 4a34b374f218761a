"""A grid network cut into a head and a tail, with a compression between them."""

from __future__ import annotations

import torch

from dynsearch.errors import PlanError
from dynsearch.families.grid.cells import take_frames
from dynsearch.families.grid.network import GridNetwork
from dynsearch.families.sfc.compression import Compression
from dynsearch.families.sfc.options import CompressionOptions
from dynsearch.network import ExitPass, MultiExitNetwork
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
            features_BTPC = self.head_features(clips_BTCHW, 0, self.ends[-1])
        return torch.stack([self.logits_of(features_BTPC[:, :end]) for end in self.ends])

    def head_features(
        self, clips_BTCHW: torch.Tensor, start: int, stop: int, *, more: bool = False
    ) -> torch.Tensor:
        """Return what the head makes of the frames fed from position ``start`` up to ``stop``, (B, T, P, C).

        Args:
            clips_BTCHW: The clips.
            start: If not 0, the shift goes on where the last call stopped.
            stop: Position behind the last frame.
            more: Whether to keep what the shift needs of the last frame for a call that follows.
        """
        history, state = self.base.history, take_frames(clips_BTCHW, self.frames_in_order[start:stop])
        history.begin(start, stop, self._restarts)
        history.keep_tails = more
        for stage in range(self.options.split):
            state = self.base.backbone.forward_stage(state, stage)
        history.keep_tails = False
        if not isinstance(state, torch.Tensor):
            raise PlanError(
                f"stage {self.options.split} of {self.plan.backbone} hands on maps of several scales, compression "
                "needs one",
                where="backbone",
            )
        rows = state.movedim(self.layout.axis, -1)
        return rows.reshape(len(clips_BTCHW), stop - start, -1, rows.shape[-1])

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

    def begin(self, clips_BTCHW: torch.Tensor) -> CompressedPass:
        """Return what goes from exit to exit on these clips."""
        return CompressedPass(self, clips_BTCHW)


class CompressedPass(ExitPass):
    """The head's features of the videos still running."""

    def __init__(self, network: CompressedNetwork, clips_BTCHW: torch.Tensor) -> None:
        super().__init__(clips_BTCHW)
        self.network = network
        self.features_BTPC: torch.Tensor | None = None

    def logits_at(self, k: int) -> torch.Tensor:
        """Return the logits (B, K) of exit ``k``: new frames pass the head, all pass compression and tail."""
        network, before = self.network, self.features_BTPC
        done = 0 if before is None else before.shape[1]
        more = k + 1 < len(network.ends)
        new = network.head_features(self.clips_BTCHW, done, network.ends[k], more=more)
        self.features_BTPC = new if before is None else torch.cat([before, new], dim=1)
        return network.logits_of(self.features_BTPC)

    def keep(self, rows: torch.Tensor) -> None:
        """Drop every video but those at the positions ``rows``."""
        assert self.features_BTPC is not None
        self.clips_BTCHW, self.features_BTPC = self.clips_BTCHW[rows], self.features_BTPC[rows]
        history = self.network.base.history
        history.tails = {name: tail[rows] for name, tail in history.tails.items()}

    def end(self) -> None:
        """Forget what the shifts keep."""
        self.network.base.history.tails = {}
