"""AdaFocusV2 with one patch in every frame and an exit after any of them (Wang et al., CVPR 2022)."""

from __future__ import annotations

import torch
from torch import nn

from dynsearch.network.adafocus.auxiliary import AuxiliaryLogits
from dynsearch.network.adafocus.classifier import RunningMaxClassifier
from dynsearch.network.adafocus.frame_encoder import FrameEncoder
from dynsearch.network.adafocus.patch import cut_patches
from dynsearch.network.adafocus.policy import RecurrentPolicy
from dynsearch.network.adafocus.resize import resize_frames
from dynsearch.network.clips import check_clips
from dynsearch.network.costed import Costed
from dynsearch.network.exit_loop import run_exits
from dynsearch.network.grid.backbone import Backbone
from dynsearch.network.grid.heads import LinearHead
from dynsearch.network.progress import ProgressiveResult
from dynsearch.plan import AdaFocusOptions, Plan
from dynsearch.thresholds import ExitPolicy


class RecurrentFocusNetwork(Costed, nn.Module):
    """A global network glances at each frame, a policy chooses a patch, a local network looks at it.

    Both networks' features of a frame go into a classifier that takes their running maximum over frames.

    Args:
        plan: A plan of family ``adafocus`` with one patch per frame.
        num_classes: K.
        dropout: Dropout before each linear classifier, active in training only.

    Raises:
        PlanError: A backbone is unknown or can't be used.
    """

    def __init__(self, plan: Plan, num_classes: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        options = plan.options
        assert isinstance(options, AdaFocusOptions)
        self.plan = plan
        self.num_classes = num_classes
        self.patch_size, self.global_size = options.patch_size, options.global_size
        self.global_net = FrameEncoder(plan.backbone, options.global_size or plan.image_size, plan)
        self.local_net = FrameEncoder(options.local_backbone, options.patch_size, plan)
        global_channels, local_channels = (net.layout.channels for net in (self.global_net, self.local_net))
        self.policy = RecurrentPolicy(self.global_net.layout.map_shape, options.policy_width)
        self.classifier = RunningMaxClassifier(
            global_channels + local_channels, options.classifier_width, num_classes, len(plan.exits), dropout
        )
        self.global_aux = LinearHead(global_channels, num_classes, dropout)
        self.local_aux = LinearHead(local_channels, num_classes, dropout)
        self.frames_in_order = list(plan.frame_order.frame_indices(plan.frames_per_set))
        self.ends = [plan.frames_seen(exit_) for exit_ in plan.exits.exits]

    @property
    def backbones(self) -> tuple[Backbone, ...]:
        """The global and the local backbone."""
        return self.global_net.backbone, self.local_net.backbone

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
        frames = clips_BTCHW[:, self.frames_in_order[: self.ends[-1]]]
        maps, global_BTC = self.glance(frames)
        places, _ = self.policy(maps.detach(), None)  # The policy does not train the global network.
        chosen_BTC = self.look(frames, places)
        logits_EBK = self.exits(global_BTC, chosen_BTC)
        if not auxiliary:
            return logits_EBK
        random_BTC = self.look(frames, torch.rand_like(places))
        return AuxiliaryLogits(
            torch.stack([logits_EBK, self.exits(global_BTC, random_BTC)]),
            self.global_aux(global_BTC),
            self.local_aux(torch.stack([chosen_BTC, random_BTC])),
        )

    def glance(
        self, frames_BTCHW: torch.Tensor, start: int = 0, *, more: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the global network's maps (B, T, C, H, W) and features (B, T, C); see :class:`FrameEncoder`."""
        frames = resize_frames(frames_BTCHW, self.global_size)
        out = self.global_net(frames, start, more=more)
        layout, shape = self.global_net.layout, frames.shape[:2]
        return layout.to_map(out).unflatten(0, shape), layout.pool(out).unflatten(0, shape)

    def look(
        self, frames_BTCHW: torch.Tensor, places_BT2: torch.Tensor, start: int = 0, *, more: bool = False
    ) -> torch.Tensor:
        """Return the local network's features of the patches at ``places_BT2``, (B, T, C)."""
        patches = cut_patches(frames_BTCHW.flatten(0, 1), places_BT2.flatten(0, 1), self.patch_size)
        out = self.local_net(patches.unflatten(0, frames_BTCHW.shape[:2]), start, more=more)
        return self.local_net.layout.pool(out).unflatten(0, frames_BTCHW.shape[:2])

    def exits(self, global_BTC: torch.Tensor, local_BTC: torch.Tensor) -> torch.Tensor:
        """Return the logits of all exits, (E, B, K), from the features of all frames."""
        peaks = self.classifier.peaks(torch.cat([global_BTC, local_BTC], dim=2), self.ends)
        return torch.stack([head(peak) for head, peak in zip(self.classifier.heads, peaks, strict=True)])

    @torch.inference_mode()
    def forward_until(self, clips_BTCHW: torch.Tensor, policy: ExitPolicy) -> ProgressiveResult:
        """Run from exit to exit; videos that are sure enough leave the batch and cost nothing more.

        Raises:
            PlanError: The clips have another shape than the plan.
            PolicyError: The policy is for another number of exits or another plan.
        """
        result = run_exits(RecurrentPass(self, clips_BTCHW), policy)
        self.global_net.history.tails, self.local_net.history.tails = {}, {}
        return result


class RecurrentPass:
    """What a recurrent network remembers of the videos still running: an :class:`ExitPass`."""

    def __init__(self, network: RecurrentFocusNetwork, clips_BTCHW: torch.Tensor) -> None:
        self.network = network
        self.clips_BTCHW = clips_BTCHW
        self.memory_BW: torch.Tensor | None = None
        self.peak_BW = torch.empty(0)
        self.frames_done = 0

    def logits_at(self, k: int) -> torch.Tensor:
        """Return the logits (B, K) of exit ``k``, looking at the frames not seen yet."""
        network, done, now = self.network, self.frames_done, self.network.ends[k]
        more = k + 1 < len(network.ends)
        frames = self.clips_BTCHW[:, network.frames_in_order[done:now]]
        maps, global_BTC = network.glance(frames, done, more=more)
        places, self.memory_BW = network.policy(maps, self.memory_BW)
        local_BTC = network.look(frames, places, done, more=more)
        features = torch.cat([global_BTC, local_BTC], dim=2)
        peak = self.peak_BW if done else None
        (self.peak_BW,) = network.classifier.peaks(features, [now - done], peak)
        self.frames_done = now
        logits: torch.Tensor = network.classifier.heads[k](self.peak_BW)
        return logits

    def keep(self, rows: torch.Tensor) -> None:
        """Drop every video but those at the positions ``rows``."""
        assert self.memory_BW is not None
        self.clips_BTCHW, self.memory_BW = self.clips_BTCHW[rows], self.memory_BW[rows]
        self.peak_BW = self.peak_BW[rows]
        self.network.global_net.keep(rows)
        self.network.local_net.keep(rows)
