"""The axes that plans of all families vary on: backbones, frames, sizes, orders, heads and exits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dynsearch.errors import PlanError
from dynsearch.plan import FrameOrder
from dynsearch.plan.frame_order import MAX_SETS
from dynsearch.plan.heads import head_kinds
from dynsearch.validation import Settings, accepted_by

Names = Annotated[list[str], Field(min_length=1)]
Numbers = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)]


class FrameGrid(Settings):
    """How many frames are sampled and into how many frame sets they are divided."""

    num_frames: int = Field(ge=1)
    """Frames sampled from a video."""
    num_sets: int = Field(ge=1, le=MAX_SETS)
    """Sets that they are divided into; an exit sees whole sets."""

    @model_validator(mode="after")
    def _divisible(self) -> FrameGrid:
        if self.num_frames % self.num_sets:
            raise ValueError(f"num_frames={self.num_frames} is not a multiple of num_sets={self.num_sets}")
        return self

    def __str__(self) -> str:
        return f"{self.num_frames} frames in {self.num_sets} sets"


class ExitChoices(Settings):
    """How many exits there are and how deep they may sit.

    With ``last: full`` the last exit is the grid's last cell (all sets, ``max_depth``) and the others lie
    before it; with ``last: free`` it is sampled like the others.
    """

    min_exits: int = Field(default=2, ge=1)
    """Fewest exits of a plan."""
    max_exits: int = Field(default=5, ge=1)
    """Most exits of a plan."""
    min_depth: int = Field(default=1, ge=1)
    """Stages before the shallowest exit, at least."""
    max_depth: int = Field(ge=1)
    """Stages before the deepest exit, at most."""
    last: Literal["full", "free"] = "full"
    """``full``: the last exit sees everything; ``free``: it is sampled like the others."""

    @model_validator(mode="after")
    def _ordered(self) -> ExitChoices:
        if self.min_exits > self.max_exits or self.min_depth > self.max_depth:
            raise ValueError("min_exits and min_depth must not exceed max_exits and max_depth")
        return self


class SpaceAxes(Settings):
    """The choices of a search space that are no family's own."""

    backbones: Names
    """timm's names of networks."""
    frames: Annotated[list[FrameGrid], Field(min_length=1)]
    """Numbers of frames and of the sets that they are fed in."""
    image_sizes: Annotated[list[Annotated[int, Field(ge=8)]], Field(min_length=1)]
    """Sides of the square that a network sees, in pixels."""
    frame_orders: Names
    """Named orders in which sets are fed, for instance ``paper``."""
    order_moves: int = Field(default=0, ge=0)
    """Free orders: a named one, changed by up to this many moves of a set to another place."""
    temporal_shifts: Annotated[list[Literal["none", "online"]], Field(min_length=1)] = ["online"]
    """Whether features of the frame fed before are mixed in."""
    across_groups: Annotated[list[bool], Field(min_length=1)] = [True]
    """Whether that goes on from one group of the frame order to the next."""
    heads: Annotated[list[Annotated[str, accepted_by(head_kinds)]], Field(min_length=1)] = ["linear"]
    """Kinds of exit heads."""
    exits: ExitChoices
    """How many exits there are and where they may sit."""

    @model_validator(mode="after")
    def _orders_exist(self) -> SpaceAxes:
        for grid in self.frames:
            for name in self.frame_orders:
                try:
                    FrameOrder.named(name, grid.num_sets)
                except PlanError as error:
                    raise ValueError(str(error)) from error
        return self
