"""AdaFocusV2 with one patch in every frame and an exit after any of them (Wang et al., CVPR 2022)."""

from __future__ import annotations

import torch

from dynsearch.families.adafocus.classifier import RunningMaxClassifier
from dynsearch.families.adafocus.network import FocusNetwork
from dynsearch.families.adafocus.policy import RecurrentPolicy
from dynsearch.network import ExitPass
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

    def begin(self, clips_BTCHW: torch.Tensor) -> RecurrentPass:
        """Return what goes from frame to frame of these clips."""
        return RecurrentPass(self, clips_BTCHW)


class RecurrentPass(ExitPass):
    """What a recurrent network remembers of the videos still running."""

    def __init__(self, network: RecurrentFocusNetwork, clips_BTCHW: torch.Tensor) -> None:
        super().__init__(clips_BTCHW)
        self.network = network
        self.memory_BW: torch.Tensor | None = None
        self.peak_BW = torch.empty(0)
        self.frames_done = 0

    def logits_at(self, k: int) -> torch.Tensor:
        """Return the logits (B, K) of exit ``k``, looking at the frames not seen yet."""
        network, done, now = self.network, self.frames_done, self.network.ends[k]
        more = k + 1 < len(network.ends)
        frames = self.clips_BTCHW[:, network.frames_in_order[done:now]]
        maps, global_BTC = network.glance_at_frames(frames, done, more=more)
        places, self.memory_BW = network.policy(maps, self.memory_BW)
        local_BTC = network.look_at_frames(frames, places.flatten(0, 1), done, more=more)
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

    def end(self) -> None:
        """Forget what the shifts keep."""
        self.network.global_net.history.tails, self.network.local_net.history.tails = {}, {}
