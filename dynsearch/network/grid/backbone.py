"""A timm backbone, cut into the depth stages of the grid."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import timm
import torch
from timm.models.resnet import ResNet
from torch import nn

from dynsearch.errors import PlanError


@dataclass(frozen=True)
class Stage:
    """One depth stage: the top-level parts of the backbone between two of timm's feature taps.

    Attributes:
        parts: Names of the backbone's children, in the order they run.
        channels: Channels of the stage's output.
    """

    parts: tuple[str, ...]
    channels: int


class Backbone(nn.Module):
    """A timm model without its classifier, run stage by stage.

    The parameters keep timm's names below ``model.``, so that timm's weights load as they are.

    Args:
        name: Name of a timm model.
        depth: How many stages are needed; later ones are dropped.

    Raises:
        PlanError: timm has no such model, it can't be cut, or it has fewer than ``depth`` stages.
    """

    def __init__(self, name: str, depth: int) -> None:
        super().__init__()
        self.model = create_timm_model(name)
        stages = cut_into_stages(self.model, name)
        if depth > len(stages):
            raise PlanError(
                f"an exit at depth {depth} lies outside the grid: {name} has {len(stages)} stages",
                where="exits",
            )
        self.stages = stages[:depth]
        for stage in stages[depth:]:
            for part in stage.parts:
                setattr(self.model, part, nn.Identity())

    def forward_stage(self, x_BCHW: torch.Tensor, stage: int) -> torch.Tensor:
        """Return the output of ``stage`` (counted from 0) for the output of the one before it."""
        for part in self.stages[stage].parts:
            x_BCHW = getattr(self.model, part)(x_BCHW)
        return x_BCHW

    def residual_blocks(self) -> list[tuple[str, nn.Module]]:
        """Return name and first convolution of every residual branch, in the order they run."""
        return [
            (name, module.conv1)
            for name, module in self.model.named_modules()
            if type(module).__name__ in ("BasicBlock", "Bottleneck")
        ]


def create_timm_model(name: str) -> nn.Module:
    """Return timm's model ``name`` without classifier, freshly initialised.

    Raises:
        PlanError: timm has no model of that name; the message gives the nearest names.
    """
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=3)
        raise PlanError(
            f"timm has no model {name!r}",
            where="backbone",
            hint=f"Nearest: {', '.join(near)}" if near else None,
        )
    return timm.create_model(name, pretrained=False, num_classes=0)


def cut_into_stages(model: nn.Module, name: str) -> tuple[Stage, ...]:
    """Return the M depth stages of a timm ResNet: the stem and its residual stages.

    timm's ``feature_info`` names the module after which each feature map is complete; a stage is
    everything from behind one of them up to the next.

    Raises:
        PlanError: The model is not of timm's ResNet class.
    """
    if not isinstance(model, ResNet):
        raise PlanError(
            f"{name} can't be cut into stages: it is a {type(model).__name__}",
            where="backbone",
            hint="Use a model of timm's ResNet class, for instance resnet18, resnet50 or resnext50_32x4d",
        )
    taps = {str(info["module"]): int(str(info["num_chs"])) for info in model.feature_info}
    stages: list[Stage] = []
    parts: list[str] = []
    for child, module in model.named_children():
        if child in ("global_pool", "fc"):
            break
        if not isinstance(module, nn.Identity):
            parts.append(child)
        if child in taps:
            stages.append(Stage(tuple(parts), taps[child]))
            parts = []
    return tuple(stages)
