"""The seam between plans and networks: a family turns a plan into a multi-exit module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch

from dynsearch.errors import PlanError
from dynsearch.network.adafocus import build_adafocus
from dynsearch.network.grid.backbone import Backbone
from dynsearch.network.grid.network import GridNetwork
from dynsearch.network.progress import ProgressiveResult
from dynsearch.network.sfc import CompressedNetwork
from dynsearch.plan import Plan
from dynsearch.thresholds import ExitPolicy


class MultiExitNetwork(Protocol):
    """What training, scoring and inference need of a network. Every family's module is one.

    Attributes:
        plan: The plan the network was built from.
        cost_E: Cumulative GFLOPs per video at each exit; empty until the network has been costed.
    """

    plan: Plan
    cost_E: tuple[float, ...]

    @property
    def backbones(self) -> tuple[Backbone, ...]:
        """The timm models inside, for starting weights and activation checkpointing."""

    def forward(self, clips_BTCHW: torch.Tensor) -> torch.Tensor:
        """Return the logits of all exits, (E, B, K), for clips whose frames are in temporal order."""

    def forward_until(self, clips_BTCHW: torch.Tensor, policy: ExitPolicy) -> ProgressiveResult:
        """Run from exit to exit and really stop each video at the first exit that is sure enough."""


FAMILIES: dict[str, Callable[..., Any]] = {
    "grid": GridNetwork,
    "adafocus": build_adafocus,
    "sfc": CompressedNetwork,
}
"""Network families by the name used in a plan's ``family``."""


def check_known(family: str) -> None:
    """Refuse a family that is not in the table.

    Raises:
        PlanError: It isn't.
    """
    if family not in FAMILIES:
        raise PlanError(
            f"there is no network family {family!r}",
            where="family",
            hint=f"Families: {', '.join(FAMILIES)}",
        )


def build_module(plan: Plan, num_classes: int, *, dropout: float = 0.0) -> Any:
    """Return a freshly initialised module of the family that ``plan`` names.

    Args:
        plan: The plan to build.
        num_classes: K, the number of classes.
        dropout: Dropout before each classifier, active in training only.

    Raises:
        PlanError: The family or the backbone is unknown, or an exit lies outside the grid.
    """
    check_known(plan.family)
    return FAMILIES[plan.family](plan, num_classes, dropout=dropout)
