"""Which plans with selective feature compression a study may propose."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dynsearch.families.sfc.options import CompressionOptions
from dynsearch.plan import Exit, ExitPlacement, FrameOrder, Plan
from dynsearch.space import Choices, SpaceAxes, Suggester, choose
from dynsearch.space.axes import Numbers


class CompressionChoices(Choices):
    """What varies among plans of family ``sfc``; backbones, image sizes, heads and the depth are those of the space."""

    num_frames: Numbers
    """Frames that the head sees."""
    splits: Numbers
    """Stages in the head."""
    time_ratios: Numbers
    """By what the number of frames is divided."""
    side_ratios: Numbers = [1]
    """By what the sides of maps are divided."""
    num_exits: Numbers = [1]
    """Exits, evenly spread over the frames; more than one needs an online shift or none."""
    temporal_shifts: Annotated[list[Literal["none", "online", "bidirectional"]], Field(min_length=1)]
    """Whether features of other frames are mixed in, and of which."""

    @model_validator(mode="after")
    def _fitting(self) -> CompressionChoices:
        if max(self.time_ratios) > min(self.num_frames):
            raise ValueError("time_ratios must not exceed num_frames")
        uneven = [(n, e) for n, e in product(self.num_frames, self.num_exits) if n % e]
        if uneven:
            frames, exits = uneven[0]
            raise ValueError(f"num_frames={frames} is not a multiple of num_exits={exits}")
        return self

    def check(self, axes: SpaceAxes) -> None:
        """Refuse splits behind the last stage."""
        if max(self.splits) >= axes.exits.max_depth:
            raise ValueError("sfc.splits must lie inside the backbone, below exits.max_depth")

    def sample(self, trial: Suggester, axes: SpaceAxes) -> Plan:
        """Return the plan that ``trial`` proposes."""
        shift = choose(trial, "sfc.temporal_shift", self.temporal_shifts)
        num_exits = 1 if shift == "bidirectional" else choose(trial, "sfc.num_exits", self.num_exits)
        options = CompressionOptions(
            choose(trial, "sfc.split", self.splits),
            choose(trial, "sfc.time_ratio", self.time_ratios),
            choose(trial, "sfc.side_ratio", self.side_ratios),
        )
        return _plan(
            axes,
            shift,
            num_exits,
            options,
            backbone=choose(trial, "backbone", axes.backbones),
            num_frames=choose(trial, "sfc.num_frames", self.num_frames),
            image_size=choose(trial, "image_size", axes.image_sizes),
            head=choose(trial, "head", axes.heads),
        )

    def cheapest(self, axes: SpaceAxes) -> Iterator[Plan]:
        """Yield plans among which is that with the cheapest first exit."""
        options = product(self.splits, self.time_ratios, self.side_ratios)
        shift = min(self.temporal_shifts, key=("none", "online", "bidirectional").index)
        num_exits = 1 if shift == "bidirectional" else max(self.num_exits)
        fixed: dict[str, Any] = {"num_frames": min(self.num_frames), "head": axes.heads[0]}
        for backbone, size, option in product(axes.backbones, axes.image_sizes, options):
            fields = fixed | {"backbone": backbone, "image_size": size}
            yield _plan(axes, shift, num_exits, CompressionOptions(*option), **fields)


def _plan(axes: SpaceAxes, shift: str, num_exits: int, options: CompressionOptions, **fields: Any) -> Plan:
    exits = ExitPlacement(tuple(Exit(k, axes.exits.max_depth) for k in range(1, num_exits + 1)))
    order = FrameOrder.named("sequential", num_exits)
    return Plan(frame_order=order, exits=exits, temporal_shift=shift, family="sfc", options=options, **fields)
