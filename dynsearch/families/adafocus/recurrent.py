"""AdaFocusV2 with one patch in every frame and an exit after any of them (Wang et al., CVPR 2022)."""

import torch

from dynsearch.families.adafocus.classifier import RunningMaxClassifier
from dynsearch.families.adafocus.network import FocusNetwork
from dynsearch.families.adafocus.policy import RecurrentPolicy
from dynsearch.network import Kept
from dynsearch.network.heads import LinearHead
from dynsearch.plan import Plan


class RecurrentFocusNetwork(FocusNetwork):
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
        super().__init__(plan, num_classes)
        options = self.options
        global_channels, local_channels = (net.channels for net in (self.global_net, self.local_net))
        self.policy = RecurrentPolicy(self.global_net.layout.map_shape, options.policy_width)
        self.classifier = RunningMaxClassifier(
            global_channels + local_channels, options.classifier_width, num_classes, len(plan.exits), dropout
        )
        self.global_aux = LinearHead(global_channels, num_classes, dropout)
        self.local_aux = LinearHead(local_channels, num_classes, dropout)
        self.frames_in_order = list(plan.frame_order.frame_indices(plan.frames_per_set))
        self.ends = [plan.frames_seen(exit_) for exit_ in plan.exits.exits]

    def frames_seen(self, clips_BTCHW: torch.Tensor) -> torch.Tensor:
        """Return the frames up to the last exit, in the plan's order."""
        return clips_BTCHW[:, self.frames_in_order[: self.ends[-1]]]

    def glance(self, frames_BTCHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the global network's maps (B, T, C, H, W) and features (B, T, C)."""
        return self.glance_at_frames(frames_BTCHW)

    def places(self, maps_BTCHW: torch.Tensor) -> torch.Tensor:
        """Return one place in each frame, (B, T, 2)."""
        places_BT2, _ = self.policy(maps_BTCHW, None)
        return places_BT2

    def look(self, frames_BTCHW: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Return the local network's features of the patches at ``places`` (B, T, 2), (B, T, C)."""
        return self.look_at_frames(frames_BTCHW, places.flatten(0, 1))

    def exits(self, wholes: torch.Tensor, patches: torch.Tensor) -> torch.Tensor:
        """Return the logits of all exits, (E, B, K), from the features of all frames (B, T, C)."""
        peaks = self.classifier.peaks(torch.cat([wholes, patches], dim=2), self.ends)
        return torch.stack([head(peak) for head, peak in zip(self.classifier.heads, peaks, strict=True)])

    def frames_at(self, k: int) -> list[int]:
        """Return the positions in time of the frames not seen before exit ``k``."""
        return self.frames_in_order[k and self.ends[k - 1] : self.ends[k]]

    def step(self, k: int, frames_BTCHW: torch.Tensor | None, kept: Kept) -> tuple[torch.Tensor, Kept]:
        """Return the logits (B, K) of exit ``k``, and what is remembered of the frames up to there.

        It is ``memory`` and ``peak`` (B, W each), and the tails of both networks' shifts.
        """
        assert frames_BTCHW is not None
        done, more = k and self.ends[k - 1], k + 1 < len(self.ends)
        with (
            self.global_net.history.going_on(kept, more=more) as of_global,
            self.local_net.history.going_on(kept, more=more) as of_local,
        ):
            maps, global_BTC = self.glance_at_frames(frames_BTCHW, done)
            places, memory_BW = self.policy(maps, kept.get("memory"))
            local_BTC = self.look_at_frames(frames_BTCHW, places.flatten(0, 1), done)
        features = torch.cat([global_BTC, local_BTC], dim=2)
        (peak_BW,) = self.classifier.peaks(features, [features.shape[1]], kept.get("peak"))
        logits: torch.Tensor = self.classifier.heads[k](peak_BW)
        return logits, {"memory": memory_BW, "peak": peak_BW, **of_global, **of_local} if more else {}
