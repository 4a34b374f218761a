"""What both AdaFocusV2 networks have: one that glances, one that looks closer, and a policy that says where."""

from abc import abstractmethod
from typing import Literal, overload

import torch
from torch.nn import functional as F

from dynsearch.families.adafocus.frame_encoder import FrameEncoder
from dynsearch.families.adafocus.objective import AuxiliaryLogits
from dynsearch.families.adafocus.options import AdaFocusOptions
from dynsearch.families.adafocus.patch import cut_patches
from dynsearch.network import MultiExitNetwork
from dynsearch.network.backbone.backbone import Backbone
from dynsearch.network.clips import check_clips
from dynsearch.network.heads import LinearHead
from dynsearch.plan import Plan


class FocusNetwork(MultiExitNetwork):
    """A global network glances at frames, a policy chooses places, a local network looks at the patches there.

    The variants differ in what they make of a video: features and places are of every frame, (B, T, C) and (B, T, 2),
    or of the whole video, (B, C) and (B, 2).

    Args:
        plan: A plan of family ``adafocus``.
        num_classes: K.

    Raises:
        PlanError: A backbone is unknown or can't be used.
    """

    global_aux: LinearHead
    local_aux: LinearHead

    def __init__(self, plan: Plan, num_classes: int) -> None:
        super().__init__(plan, num_classes)
        options = self.options
        self.global_net = FrameEncoder(
            plan.backbone, options.global_size or plan.image_size, plan, "global_tail"
        )
        self.local_net = FrameEncoder(options.local_backbone, options.patch_size, plan, "local_tail")

    @property
    def options(self) -> AdaFocusOptions:
        """The plan's options."""
        assert isinstance(self.plan.options, AdaFocusOptions)
        return self.plan.options

    @property
    def backbones(self) -> tuple[Backbone, ...]:
        """The global and the local backbone."""
        return self.global_net.backbone, self.local_net.backbone

    @overload
    def forward(self, clips_BTCHW: torch.Tensor) -> torch.Tensor: ...
    @overload
    def forward(self, clips_BTCHW: torch.Tensor, *, auxiliary: Literal[True]) -> AuxiliaryLogits: ...
    def forward(
        self, clips_BTCHW: torch.Tensor, *, auxiliary: bool = False
    ) -> torch.Tensor | AuxiliaryLogits:
        """Return the logits of all exits, (E, B, K), or with ``auxiliary`` all that training needs.

        Args:
            clips_BTCHW: Clips with their T frames in temporal order.
            auxiliary: Look at random patches too, and apply the auxiliary heads.

        Raises:
            PlanError: The clips have another shape than the plan.
        """
        check_clips(clips_BTCHW, self.plan)
        frames = self.frames_seen(clips_BTCHW)
        maps, wholes = self.glance(frames)
        places = self.places(maps.detach())  # The policy does not train the global network.
        chosen = self.look(frames, places)
        logits_EBK = self.exits(wholes, chosen)
        if not auxiliary:
            return logits_EBK
        random = self.look(frames, torch.rand_like(places))
        return AuxiliaryLogits(
            torch.stack([logits_EBK, self.exits(wholes, random)]),
            _by_frame(self.global_aux(wholes), 3),
            _by_frame(self.local_aux(torch.stack([chosen, random])), 4),
        )

    def frames_seen(self, clips_BTCHW: torch.Tensor) -> torch.Tensor:
        """Return the frames in the order they are looked at, (B, T, C, H, W)."""
        return clips_BTCHW

    @abstractmethod
    def glance(self, frames_BTCHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the global network's maps (B, T, C, H, W), and its features."""

    @abstractmethod
    def places(self, maps_BTCHW: torch.Tensor) -> torch.Tensor:
        """Return where the policy wants to look, each 0..1."""

    @abstractmethod
    def look(self, frames_BTCHW: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Return the local network's features of the patches at ``places``."""

    @abstractmethod
    def exits(self, wholes: torch.Tensor, patches: torch.Tensor) -> torch.Tensor:
        """Return the logits of all exits, (E, B, K), from both networks' features."""

    def glance_at_frames(
        self, frames_BTCHW: torch.Tensor, start: int = 0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the global network's maps (B, T, C, H, W) and features (B, T, C); see :class:`FrameEncoder`."""
        frames, size = frames_BTCHW, self.options.global_size
        if size is not None:
            aligned = self.options.global_resize == "aligned"
            small = F.interpolate(
                frames.flatten(0, 1),
                [size, size],
                mode="bilinear",
                align_corners=aligned,
                antialias=not aligned,
            )
            frames = small.unflatten(0, frames.shape[:2])
        out, features_BTC = self.global_net(frames, start)
        return self.global_net.layout.to_map(out).unflatten(0, frames.shape[:2]), features_BTC

    def look_at_frames(
        self, frames_BTCHW: torch.Tensor, places_R2: torch.Tensor, start: int = 0
    ) -> torch.Tensor:
        """Return the local network's features (B, T, C) of one patch in each of the R = B x T frames."""
        patches = cut_patches(frames_BTCHW.flatten(0, 1), places_R2, self.options.patch_size)
        _, features_BTC = self.local_net(patches.unflatten(0, frames_BTCHW.shape[:2]), start)
        return features_BTC


def _by_frame(logits: torch.Tensor, num_axes: int) -> torch.Tensor:
    """Return logits (..., T, K); one answer for a whole video counts as that of one frame."""
    return logits if logits.ndim == num_axes else logits.unsqueeze(-2)
