"""AdaFocusV2 with one patch per video, on networks with a temporal shift (its Something-Something variant)."""

from __future__ import annotations

import torch
from torch import nn

from dynsearch.network.adafocus.auxiliary import AuxiliaryLogits
from dynsearch.network.adafocus.frame_encoder import FrameEncoder
from dynsearch.network.adafocus.patch import cut_patches
from dynsearch.network.adafocus.policy import WholeVideoPolicy
from dynsearch.network.adafocus.resize import resize_frames
from dynsearch.network.clips import check_clips
from dynsearch.network.costed import Costed
from dynsearch.network.exit_loop import run_exits
from dynsearch.network.grid.backbone import Backbone
from dynsearch.network.grid.heads import LinearHead
from dynsearch.network.progress import ProgressiveResult
from dynsearch.plan import AdaFocusOptions, Plan
from dynsearch.thresholds import ExitPolicy


class OnePatchNetwork(Costed, nn.Module):
    """A global network sees some frames, a policy chooses one place, a local network sees it in all frames.

    The answer is the sum of both networks' logits. They come from features without gradient; each network is
    trained by an auxiliary head of its own, and the policy by the local one.

    Args:
        plan: A plan of family ``adafocus`` with one patch per video.
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
        count = options.global_frames or plan.num_frames
        self.global_frames = [(2 * i + 1) * plan.num_frames // (2 * count) for i in range(count)]
        self.global_net = FrameEncoder(plan.backbone, options.global_size or plan.image_size, plan)
        self.local_net = FrameEncoder(options.local_backbone, options.patch_size, plan)
        self.policy = WholeVideoPolicy(self.global_net.layout.map_shape, count, options.policy_width)
        channels = [net.layout.channels for net in (self.global_net, self.local_net)]
        self.global_head, self.local_head, self.global_aux, self.local_aux = (
            LinearHead(width, num_classes, dropout) for width in channels * 2
        )
        self.depths = [exit_.depth for exit_ in plan.exits.exits]

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
        maps, global_BC = self.glance(clips_BTCHW)
        places_B2 = self.policy(maps.detach())  # The policy does not train the global network.
        chosen_BC = self.look(clips_BTCHW, places_B2)
        logits_EBK = self.exits(global_BC, chosen_BC)
        if not auxiliary:
            return logits_EBK
        random_BC = self.look(clips_BTCHW, torch.rand_like(places_B2))
        return AuxiliaryLogits(
            torch.stack([logits_EBK, self.exits(global_BC, random_BC)]),
            self.global_aux(global_BC).unsqueeze(1),
            self.local_aux(torch.stack([chosen_BC, random_BC])).unsqueeze(2),
        )

    def glance(self, clips_BTCHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the global network's maps (B, T, C, H, W), and its features averaged over frames (B, C)."""
        frames = resize_frames(clips_BTCHW[:, self.global_frames], self.global_size)
        out = self.global_net(frames)
        layout = self.global_net.layout
        maps, features = (x.unflatten(0, frames.shape[:2]) for x in (layout.to_map(out), layout.pool(out)))
        return maps, features.mean(dim=1)

    def look(self, clips_BTCHW: torch.Tensor, places_B2: torch.Tensor) -> torch.Tensor:
        """Return the local network's features of the patches at ``places_B2``, averaged over frames (B, C)."""
        shape = clips_BTCHW.shape[:2]
        places = places_B2.repeat_interleave(shape[1], dim=0)
        patches = cut_patches(clips_BTCHW.flatten(0, 1), places, self.patch_size)
        out = self.local_net(patches.unflatten(0, shape))
        return self.local_net.layout.pool(out).unflatten(0, shape).mean(dim=1)

    def exits(self, global_BC: torch.Tensor, local_BC: torch.Tensor) -> torch.Tensor:
        """Return the logits of all exits, (E, B, K)."""
        glanced = self.global_head(global_BC.detach())
        focused = glanced + self.local_head(local_BC.detach())
        return torch.stack([glanced if depth == 1 else focused for depth in self.depths])

    @torch.inference_mode()
    def forward_until(self, clips_BTCHW: torch.Tensor, policy: ExitPolicy) -> ProgressiveResult:
        """Run from exit to exit; videos that are sure after the glance cost nothing more.

        Raises:
            PlanError: The clips have another shape than the plan.
            PolicyError: The policy is for another number of exits or another plan.
        """
        return run_exits(OnePatchPass(self, clips_BTCHW), policy)


class OnePatchPass:
    """The glance at the videos still running: an :class:`ExitPass`."""

    def __init__(self, network: OnePatchNetwork, clips_BTCHW: torch.Tensor) -> None:
        self.network = network
        self.clips_BTCHW = clips_BTCHW
        self.maps, self.logits_BK = torch.empty(0), torch.empty(0)

    def logits_at(self, k: int) -> torch.Tensor:
        """Return the logits (B, K) of exit ``k``."""
        network = self.network
        if k == 0:
            self.maps, global_BC = network.glance(self.clips_BTCHW)
            self.logits_BK = network.global_head(global_BC)
        if network.depths[k] == 1:
            return self.logits_BK
        local_BC = network.look(self.clips_BTCHW, network.policy(self.maps))
        return self.logits_BK + network.local_head(local_BC)

    def keep(self, rows: torch.Tensor) -> None:
        """Drop every video but those at the positions ``rows``."""
        self.clips_BTCHW, self.maps = self.clips_BTCHW[rows], self.maps[rows]
        self.logits_BK = self.logits_BK[rows]
