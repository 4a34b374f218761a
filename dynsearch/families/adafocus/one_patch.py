"""AdaFocusV2 with one patch per video, on networks with a temporal shift (its Something-Something variant)."""

import torch

from dynsearch.families.adafocus.network import FocusNetwork
from dynsearch.families.adafocus.policy import WholeVideoPolicy
from dynsearch.network import Kept
from dynsearch.network.heads import LinearHead
from dynsearch.plan import Plan


class OnePatchNetwork(FocusNetwork):
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
        super().__init__(plan, num_classes)
        options = self.options
        count = options.global_frames or plan.num_frames
        self.global_frames = [(2 * i + 1) * plan.num_frames // (2 * count) for i in range(count)]
        self.policy = WholeVideoPolicy(self.global_net.layout.map_shape, count, options.policy_width)
        channels = [net.channels for net in (self.global_net, self.local_net)]
        self.global_head, self.local_head, self.global_aux, self.local_aux = (
            LinearHead(width, num_classes, dropout) for width in channels * 2
        )
        self.depths = [exit_.depth for exit_ in plan.exits.exits]

    def glance(self, frames_BTCHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the global network's maps (B, T, C, H, W), and its features averaged over frames (B, C)."""
        maps, features_BTC = self.glance_at_frames(frames_BTCHW[:, self.global_frames])
        return maps, features_BTC.mean(dim=1)

    def places(self, maps_BTCHW: torch.Tensor) -> torch.Tensor:
        """Return one place for each video, (B, 2)."""
        places_B2: torch.Tensor = self.policy(maps_BTCHW)
        return places_B2

    def look(self, frames_BTCHW: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Return the local network's features of the patches at ``places`` (B, 2), averaged over frames (B, C)."""
        places_R2 = places.repeat_interleave(frames_BTCHW.shape[1], dim=0)
        return self.look_at_frames(frames_BTCHW, places_R2).mean(dim=1)

    def exits(self, wholes: torch.Tensor, patches: torch.Tensor) -> torch.Tensor:
        """Return the logits of all exits, (E, B, K), from features (B, C)."""
        glanced = self.global_head(wholes.detach())
        focused = glanced + self.local_head(patches.detach())
        return torch.stack([glanced if depth == 1 else focused for depth in self.depths])

    def frames_at(self, k: int) -> list[int]:
        """Return the positions in time of the frames that the networks look at between exit k - 1 and ``k``."""
        if self.depths[k] == 2:
            return list(range(self.plan.num_frames))
        return self.global_frames

    def step(self, k: int, frames_BTCHW: torch.Tensor | None, kept: Kept) -> tuple[torch.Tensor, Kept]:
        """Return the logits (B, K) of exit ``k``; after the glance its ``maps`` and logits are kept."""
        assert frames_BTCHW is not None
        if not kept:
            glanced = frames_BTCHW if self.depths[k] == 1 else frames_BTCHW[:, self.global_frames]
            maps, features_BTC = self.glance_at_frames(glanced)
            kept = {"maps": maps, "glanced": self.global_head(features_BTC.mean(dim=1))}
        if self.depths[k] == 1:
            return kept["glanced"], kept if k + 1 < len(self.depths) else {}
        local_BC = self.look(frames_BTCHW, self.places(kept["maps"]))
        return kept["glanced"] + self.local_head(local_BC), {}
