"""Which plans share a one-shot network: those whose weights have the same shapes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

from dynsearch.plan import Exit, ExitPlacement, FrameOrder, Plan, TemporalShift
from dynsearch.space import SearchSpace


@dataclass(frozen=True)
class Shape:
    """What decides the shapes of a network's weights, exits apart; see :class:`dynsearch.plan.Plan`."""

    backbone: str
    num_frames: int
    image_size: int
    head: str

    @classmethod
    def of(cls, plan: Plan) -> Shape:
        """Return the shape of a plan's network."""
        return cls(plan.backbone, plan.num_frames, plan.image_size, plan.head)

    @classmethod
    def all_in(cls, space: SearchSpace) -> list[Shape]:
        """Return the shapes of all plans of ``space``."""
        lengths = dict.fromkeys(grid.num_frames for grid in space.frames)
        return [cls(*axes) for axes in product(space.backbones, lengths, space.image_sizes, space.heads)]

    def within(self, space: SearchSpace) -> SearchSpace:
        """Return the part of ``space`` whose plans have this shape."""
        frames = [grid for grid in space.frames if grid.num_frames == self.num_frames]
        return space.model_copy(
            update={
                "backbones": [self.backbone],
                "frames": frames,
                "image_sizes": [self.image_size],
                "heads": [self.head],
            }
        )

    def finest_trunk(self, space: SearchSpace) -> Plan:
        """Return a trunk whose sets are so small that those of every plan of this shape are made of them."""
        sizes = [self.num_frames // grid.num_sets for grid in self.within(space).frames]
        num_sets = self.num_frames // math.gcd(*sizes)
        shifts = space.temporal_shifts
        return Plan(
            family="grid",
            backbone=self.backbone,
            num_frames=self.num_frames,
            frame_order=FrameOrder.named("sequential", num_sets),
            exits=ExitPlacement((Exit(num_sets, space.exits.max_depth),)),
            image_size=self.image_size,
            temporal_shift=TemporalShift("online" if "online" in shifts else "none"),
            head=self.head,
        )

    @property
    def folder_name(self) -> str:
        """A name for the files of this shape's network."""
        return f"{self.backbone}-{self.num_frames}x{self.image_size}-{self.head}".replace("/", "_")

    def __str__(self) -> str:
        return f"{self.backbone}, {self.num_frames} frames of {self.image_size} px, {self.head} heads"
