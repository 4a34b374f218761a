"""What a backbone's stages and an exit head cost."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import torch

from dynsearch import compiler
from dynsearch.cost.counter import count_macs, count_parameters, run_counted
from dynsearch.network.backbone.backbone import covers
from dynsearch.network.backbone.layout import Layout
from dynsearch.network.backbone.stages import backbone_stages
from dynsearch.network.backbone.timm_head import headed_model
from dynsearch.network.backbone.timm_models import create_timm_model
from dynsearch.network.heads import build_head, reads_sequences


@dataclass(frozen=True)
class PartCost:
    """Cost of one stage for one frame, or of one head for one video.

    Attributes:
        macs: Multiply-accumulates.
        parameters: Number of parameters.
    """

    macs: int
    parameters: int


@dataclass(frozen=True)
class BackboneCost:
    """Cost per frame of a whole backbone.

    Attributes:
        stages: Of each of its M stages.
        cumulative_macs: Multiply-accumulates of the first 0, 1, ..., M stages.
        layouts: Of the features behind each stage.
    """

    stages: tuple[PartCost, ...]
    cumulative_macs: tuple[int, ...]
    layouts: tuple[Layout, ...]


@lru_cache
def backbone_cost(
    name: str, image_size: int, num_stages: int | None = None, *, as_timm: bool = False
) -> BackboneCost:
    """Return the cost per frame of all M stages of a backbone, counted on the network itself."""
    stages = backbone_stages(name, image_size, num_stages, as_timm=as_timm)
    with compiler.only_shapes():
        model = (
            (headed_model if as_timm else create_timm_model)(name, image_size).eval().requires_grad_(False)
        )
        state = torch.empty(1, 3, image_size, image_size)
    costs = []
    counted: set[str] = set()
    for stage in stages:
        macs, state = run_counted(stage.run, model, state)
        macs += count_macs(stage.read, model, state)
        own = {name: p.numel() for name, p in model.named_parameters() if covers(stage.parts, name)}
        costs.append(PartCost(macs, sum(size for name, size in own.items() if name not in counted)))
        counted.update(own)
    layouts = tuple(stage.layout for stage in stages)
    cumulative = tuple(accumulate((cost.macs for cost in costs), initial=0))
    return BackboneCost(tuple(costs), cumulative, layouts)


def head_cost(kind: str, layout: Layout, num_classes: int, num_frames: int, seen: int) -> PartCost:
    """Return the cost of using an exit head once, on features of ``layout`` of ``seen`` of ``num_frames`` frames."""
    return _head_cost(kind, layout, num_classes, *((num_frames, seen) if reads_sequences(kind) else (1, 1)))


@lru_cache
def _head_cost(kind: str, layout: Layout, num_classes: int, num_frames: int, seen: int) -> PartCost:
    channels = layout.channels
    with compiler.only_shapes():
        head = build_head(kind, channels, num_classes, 0.0, num_frames).eval()
        if head.reads == "sequence":
            macs, _ = run_counted(head, torch.empty(1, seen, channels), range(seen))
        else:
            macs, _ = run_counted(
                head, torch.empty(1, *(layout.map_shape if head.reads == "maps" else (channels,)))
            )
    return PartCost(macs, count_parameters(head))
