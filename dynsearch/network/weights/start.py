"""What backbones begin with: timm's weights, or a file's."""

from __future__ import annotations

from pathlib import Path

import timm
import torch
from torch import nn

from dynsearch.errors import WeightsError
from dynsearch.network.backbone.backbone import Backbone
from dynsearch.network.backbone.timm_models import create_timm_model
from dynsearch.network.multi_exit import PlannedNetwork
from dynsearch.network.weights.files import load_strictly, read_tensors
from dynsearch.network.weights.initialise import wake_residual_branches
from dynsearch.network.weights.public import PublicWeights, to_our_names


def start_backbones(
    network: PlannedNetwork, *, pretrained: bool, weights: Path | None
) -> tuple[PublicWeights, ...]:
    """Give the backbones of ``network`` their starting weights.

    A backbone that gets none is left as it was initialised, with its residual branches awake.

    Args:
        network: Whose backbones.
        pretrained: Take timm's weights.
        weights: For the plan's backbone take this file instead: timm's key layout or a public one that
            :mod:`dynsearch.network.weights.public` knows, with or without a classifier.

    Returns:
        What was found for each backbone that got weights; it may have some for exit heads too.

    Raises:
        WeightsError: The weights can't be had, or are of another architecture.
    """
    found = []
    for backbone in network.backbones:
        if weights is not None and backbone.name == network.plan.backbone:
            public, source = to_our_names(read_tensors(weights)), str(weights)
        elif pretrained:
            public, source = PublicWeights(_pretrained_state(backbone)), "timm"
        else:
            wake_residual_branches(backbone)
            continue
        wanted = backbone.model.state_dict()
        spare = {*_timm_names(backbone.name), "fc.weight", "fc.bias", "head.weight", "head.bias"}
        used = {name: value for name, value in public.backbone.items() if name in wanted or name not in spare}
        load_strictly(backbone.model, used, source)
        found.append(public)
    return tuple(found)


def load_fitting(head: nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    """Load what has an exit head's names and shapes; another number of classes starts afresh."""
    own = head.state_dict()
    head.load_state_dict(
        {k: v for k, v in tensors.items() if k in own and own[k].shape == v.shape}, strict=False
    )


def _timm_names(backbone: str) -> set[str]:
    """Return the names of all tensors of timm's whole model, classifier and deepest stages included."""
    with torch.device("meta"):
        return set(timm.create_model(backbone, pretrained=False).state_dict())


def _pretrained_state(backbone: Backbone) -> dict[str, torch.Tensor]:
    try:
        return create_timm_model(backbone.name, backbone.image_size, pretrained=True).state_dict()
    except Exception as error:  # The hub client raises errors of many unrelated types.
        raise WeightsError(
            f"timm's weights for {backbone.name} can't be had: {' '.join(str(error).split())[:200]}",
            where="training.pretrained",
            hint="Give a local file with training.weights=FILE, or start from random weights "
            "with training.pretrained=false",
        ) from error
