"""A whole backbone that looks at frames one by one, with the plan's temporal shift inside."""

import torch
from torch import nn

from dynsearch.network.backbone.backbone import Backbone, check_branches
from dynsearch.network.backbone.layout import features_of
from dynsearch.network.backbone.shift import attach_shifts
from dynsearch.network.backbone.stages import backbone_stages
from dynsearch.network.heads import reads_as_timm
from dynsearch.plan import Plan


class FrameEncoder(nn.Module):
    """Turns frames into the backbone's last features.

    Args:
        name: Name of a timm model.
        image_size: Side of the square input, in pixels.
        plan: Its temporal shift and frame order are used.
        tail: What the shift's tails are called.

    Attributes:
        layout: Of the maps.
        channels: C of a frame's features.

    Raises:
        PlanError: The backbone is unknown or can't be cut, or has no residual branch for the shift.
    """

    def __init__(self, name: str, image_size: int, plan: Plan, tail: str) -> None:
        super().__init__()
        check_branches(plan.temporal_shift, name, image_size)
        stages = backbone_stages(name, image_size, None)
        self.backbone = Backbone(name, image_size, len(stages), as_timm=reads_as_timm(plan, name))
        self.layout, self.channels = stages[-1].layout, self.backbone.stages[-1].layout.channels
        self.history = attach_shifts(self.backbone, plan.temporal_shift, tail)
        self._restarts = plan.temporal_shift.restarts(plan.frame_order, plan.frames_per_set)

    def forward(self, frames_BTCHW: torch.Tensor, start: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the maps of T frames, (B x T, ...), and their features, (B, T, C).

        Args:
            frames_BTCHW: Frames in the order they are fed.
            start: Position of the first one.
        """
        self.history.begin(start, start + frames_BTCHW.shape[1], self._restarts)
        state = frames_BTCHW.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        for stage in range(len(self.backbone.stages)):
            state = self.backbone.forward_stage(state, stage)
        last = self.backbone.stages[-1]
        vectors = last.layout.pool(last.read(self.backbone.model, state))
        return features_of(state), vectors.unflatten(0, frames_BTCHW.shape[:2])
