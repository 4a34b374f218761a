"""A search space: the plans that a study may propose."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dynsearch.errors import PlanError, SpaceError
from dynsearch.files import read_yaml
from dynsearch.plan import Exit, ExitPlacement, FrameOrder, Plan, TemporalShift
from dynsearch.validation import describe

Choices = Annotated[list[str], Field(min_length=1)]


class Suggester(Protocol):
    """The two methods of an Optuna trial that sampling a plan needs."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Return one of ``choices``."""

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Return an integer in [low, high]."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FrameGrid(_Strict):
    """How many frames are sampled and into how many frame sets they are divided."""

    num_frames: int = Field(ge=1)
    num_sets: int = Field(ge=1)

    @model_validator(mode="after")
    def _divisible(self) -> FrameGrid:
        if self.num_frames % self.num_sets:
            raise ValueError(f"num_frames={self.num_frames} is not a multiple of num_sets={self.num_sets}")
        return self

    def __str__(self) -> str:
        return f"{self.num_frames} frames in {self.num_sets} sets"


class ExitChoices(_Strict):
    """How many exits there are and how deep they may sit.

    With ``last: full`` the last exit is the grid's last cell (all sets, ``max_depth``) and the others lie
    before it; with ``last: free`` it is sampled like the others.
    """

    min_exits: int = Field(default=2, ge=1)
    max_exits: int = Field(default=5, ge=1)
    min_depth: int = Field(default=1, ge=1)
    max_depth: int = Field(ge=1)
    last: Literal["full", "free"] = "full"

    @model_validator(mode="after")
    def _ordered(self) -> ExitChoices:
        if self.min_exits > self.max_exits or self.min_depth > self.max_depth:
            raise ValueError("min_exits and min_depth must not exceed max_exits and max_depth")
        return self


class SearchSpace(_Strict):
    """The choices that span all plans of a study. One YAML file in ``search_spaces/``.

    A plan's number of exits is an explicit parameter and its exits are sorted integers: of eight encodings
    compared in simulation this one let samplers find good placements soonest.
    """

    backbones: Choices
    frames: Annotated[list[FrameGrid], Field(min_length=1)]
    image_sizes: Annotated[list[Annotated[int, Field(ge=8)]], Field(min_length=1)]
    frame_orders: Choices
    order_moves: int = Field(default=0, ge=0)
    """Free orders: a named one, changed by up to this many moves of a set to another place."""
    temporal_shifts: Annotated[list[Literal["none", "online"]], Field(min_length=1)] = ["online"]
    across_groups: Annotated[list[bool], Field(min_length=1)] = [True]
    heads: Choices = ["linear"]
    exits: ExitChoices
    family: Literal["grid"] = "grid"

    @model_validator(mode="after")
    def _orders_exist(self) -> SearchSpace:
        for grid in self.frames:
            for name in self.frame_orders:
                try:
                    FrameOrder.named(name, grid.num_sets)
                except PlanError as error:
                    raise ValueError(str(error)) from error
        return self

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SearchSpace:
        """Read a search space from the YAML file at ``path``.

        Raises:
            SpaceError: The file is missing or has wrong fields; the message lists them all.
        """
        values = read_yaml(path, SpaceError)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise SpaceError(describe(error), where=str(path)) from error

    @property
    def fingerprint(self) -> str:
        """A hash of all choices; a study is resumed only with the space it began with."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    def cheapest_plans(self) -> Iterator[Plan]:
        """Yield, for each backbone, frame grid and image size, a plan whose first exit is its cheapest cell."""
        choices = self.exits
        for backbone, grid, size in product(self.backbones, self.frames, self.image_sizes):
            order = FrameOrder.named(self.frame_orders[0], grid.num_sets)
            first = Exit(1, choices.min_depth)
            if choices.max_exits == 1 and choices.last == "full":
                first = Exit(grid.num_sets, choices.max_depth)
            exits = ExitPlacement((first,))
            yield Plan(backbone, grid.num_frames, order, exits, image_size=size, head=self.heads[0])

    def sample(self, trial: Suggester) -> Plan:
        """Return the plan that ``trial`` proposes. The same parameters always give the same plan.

        Parameters that have only one choice are not asked for, so that a dashboard shows real choices only.
        """
        trunk = self.sample_trunk(trial)
        return replace(trunk, exits=self._sample_exits(trial, trunk.num_sets))

    def sample_trunk(self, trial: Suggester) -> Plan:
        """Return the plan that ``trial`` proposes, with the grid's last cell as its only exit.

        It stands for all plans that differ in their exits only.
        """
        by_name = {str(grid): grid for grid in self.frames}
        grid = by_name[_choose(trial, "frames", list(by_name))]
        return Plan(
            family=self.family,
            backbone=_choose(trial, "backbone", self.backbones),
            num_frames=grid.num_frames,
            image_size=_choose(trial, "image_size", self.image_sizes),
            frame_order=self._sample_order(trial, grid.num_sets),
            temporal_shift=TemporalShift(
                kind=_choose(trial, "temporal_shift", self.temporal_shifts),
                across_groups=_choose(trial, "shift_across_groups", self.across_groups),
            ),
            head=_choose(trial, "head", self.heads),
            exits=ExitPlacement((Exit(grid.num_sets, self.exits.max_depth),)),
        )

    def trunk_choices(self) -> list[dict[str, Any]] | None:
        """Return the parameters of every trunk, or None where orders are free and trunks too many to list."""
        if self.order_moves:
            return None
        choices: dict[str, list[Any]] = {
            "frames": [str(grid) for grid in self.frames],
            "backbone": self.backbones,
            "image_size": self.image_sizes,
            "frame_order": self.frame_orders,
            "temporal_shift": list(self.temporal_shifts),
            "shift_across_groups": self.across_groups,
            "head": self.heads,
        }
        real = {name: values for name, values in choices.items() if len(values) > 1}
        return [dict(zip(real, values, strict=True)) for values in product(*real.values())]

    def _sample_order(self, trial: Suggester, num_sets: int) -> FrameOrder:
        order = FrameOrder.named(_choose(trial, "frame_order", self.frame_orders), num_sets)
        for k in range(1, _between(trial, "order_moves", 0, self.order_moves) + 1):
            source = _between(trial, f"move{k}.from", 0, num_sets - 1)
            order = order.moved(source, _between(trial, f"move{k}.to", 0, num_sets - 1))
        return order

    def _sample_exits(self, trial: Suggester, num_sets: int) -> ExitPlacement:
        choices = self.exits
        num_exits = _between(trial, "num_exits", choices.min_exits, choices.max_exits)
        last_is_full = choices.last == "full"
        sets, depths = [], []
        for k in range(1, num_exits + 1 - last_is_full):
            sets.append(_between(trial, f"exit{k}.sets", 1, num_sets))
            depths.append(_between(trial, f"exit{k}.depth", choices.min_depth, choices.max_depth))
        if last_is_full:
            full = Exit(num_sets, choices.max_depth)
            sets.append(full.sets)
            depths.append(full.depth)
        return ExitPlacement.rising(sets, depths)


def _choose(trial: Suggester, name: str, choices: list[Any]) -> Any:
    return choices[0] if len(choices) == 1 else trial.suggest_categorical(name, choices)


def _between(trial: Suggester, name: str, low: int, high: int) -> int:
    return low if low == high else trial.suggest_int(name, low, high)
