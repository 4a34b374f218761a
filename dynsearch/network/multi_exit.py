"""What training, scoring and inference need of a network, whatever its family."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from dynsearch.network.backbone.backbone import Backbone
from dynsearch.network.costed import Costed
from dynsearch.network.heads import ExitHead
from dynsearch.network.progress import ProgressiveResult
from dynsearch.network.waiting import Answer, Kept, Steps, Waiting
from dynsearch.plan import Plan
from dynsearch.thresholds import ExitPolicy


class PlannedNetwork(nn.Module):
    """A module that was built from a plan; training needs no more of it.

    Attributes:
        plan: The plan.
        num_classes: K.
    """

    def __init__(self, plan: Plan, num_classes: int) -> None:
        super().__init__()
        self.plan = plan
        self.num_classes = num_classes

    @property
    def backbones(self) -> tuple[Backbone, ...]:
        """The timm models inside, for starting weights and activation checkpointing; a network may have none."""
        return ()

    def draw(self) -> None:
        """Draw what the next step trains, from torch's generator, which is alike in all processes; here nothing."""


class MultiExitNetwork(Costed, PlannedNetwork, ABC):
    """A network with exits, dense and progressive. Every family's is derived from it.

    Attributes:
        cost_E: Cumulative cost per video at each exit; empty until the network has been costed.
    """

    @abstractmethod
    def forward(self, clips_BTCHW: torch.Tensor) -> torch.Tensor:
        """Return the logits of all exits, (E, B, K), for clips whose T frames are in temporal order.

        Raises:
            PlanError: The clips have another shape than the plan.
        """

    @abstractmethod
    def frames_at(self, k: int) -> Sequence[int]:
        """Return the positions in time of the frames that go into the step to exit ``k``, in feeding order."""

    @abstractmethod
    def step(self, k: int, frames_BTCHW: torch.Tensor | None, kept: Kept) -> tuple[torch.Tensor, Kept]:
        """Go from exit k - 1 to exit ``k``: a function of tensors alone, of the same shapes for any clips.

        Args:
            k: Counted from 0.
            frames_BTCHW: The T' frames that :meth:`frames_at` names; None where it names none.
            kept: What the step before returned, videos along the first axis; empty at the first.

        Returns:
            The logits (B, K) that :meth:`forward` gives there, and by name all that later steps need.
        """

    @torch.inference_mode()
    def forward_until(
        self, clips_BTCHW: torch.Tensor, policy: ExitPolicy, steps: Steps | None = None
    ) -> ProgressiveResult:
        """Run from exit to exit; videos that are sure enough leave the batch and cost nothing more.

        Args:
            clips_BTCHW: Clips with their T frames in temporal order.
            policy: Confidence measure and thresholds T_k (paper section 3.2, C_k: max s_k > T_k).
            steps: What runs the steps; None is the network itself.

        Raises:
            PlanError: The clips have another shape than the plan.
            PolicyError: The policy is for another number of exits or another plan.
        """
        waiting = Waiting(self.plan, steps or self, policy)
        waiting.feed(clips_BTCHW)
        return self.result(waiting.taken())

    def result(self, answers: Sequence[Answer]) -> ProgressiveResult:
        """Return answers of videos with what they cost."""
        exit_B = np.array([answer.exit for answer in answers], dtype=np.int64)
        cost_B = np.asarray(self.cost_E)[exit_B] if self.cost_E else np.full(len(exit_B), np.nan)
        rows = [answer.logits for answer in answers]
        logits_BK = torch.stack(rows) if rows else torch.empty(0, self.num_classes)
        return ProgressiveResult(logits_BK, exit_B, cost_B, self.measure)


class HeadedNetwork(PlannedNetwork, ABC):
    """A network whose exits have heads on features of single frames, which can be fitted without the rest."""

    @property
    @abstractmethod
    def head_depths(self) -> Sequence[int]:
        """The depth that each exit's head reads."""

    @abstractmethod
    def head(self, exit_: int) -> ExitHead:
        """Return the head of an exit, counted from 0; exits may share one."""

    @abstractmethod
    def new_head(self, exit_: int) -> ExitHead:
        """Return a head like that of an exit, freshly initialised."""

    @abstractmethod
    def frame_vectors(self, clips_BTCHW: torch.Tensor) -> dict[int, torch.Tensor]:
        """Return for each depth with exits the features of the T' frames seen there, (B, T', C).

        They are averaged over space, in the order in which the frames are fed.
        """

    @abstractmethod
    def times_seen(self, exit_: int) -> Sequence[int]:
        """Return the positions in time of the first frames of :meth:`frame_vectors`, which an exit has seen."""
