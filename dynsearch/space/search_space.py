"""A search space: the plans that a study may propose."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, ValidationError, model_validator

from dynsearch.errors import PlanError, SpaceError
from dynsearch.files import read_yaml
from dynsearch.plan import Exit, ExitPlacement, FrameOrder, Plan, TemporalShift
from dynsearch.plan.frame_order import MAX_SETS
from dynsearch.space.adafocus import AdaFocusChoices
from dynsearch.space.baselines import SHIFTS, baselines, sample_baseline
from dynsearch.space.compression import CompressionChoices
from dynsearch.space.trial import Suggester, between, choose
from dynsearch.validation import Settings, describe

Choices = Annotated[list[str], Field(min_length=1)]


Family = Literal["grid", "adafocus", "sfc", "tsn", "tsm"]
"""Kinds of networks: the families, and two baselines, grid plans with a single exit."""


class FrameGrid(Settings):
    """How many frames are sampled and into how many frame sets they are divided."""

    num_frames: int = Field(ge=1)
    num_sets: int = Field(ge=1, le=MAX_SETS)

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
    max_exits: int = Field(default=5, ge=1)
    min_depth: int = Field(default=1, ge=1)
    max_depth: int = Field(ge=1)
    last: Literal["full", "free"] = "full"

    @model_validator(mode="after")
    def _ordered(self) -> ExitChoices:
        if self.min_exits > self.max_exits or self.min_depth > self.max_depth:
            raise ValueError("min_exits and min_depth must not exceed max_exits and max_depth")
        return self


class SearchSpace(Settings):
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
    families: Annotated[
        list[Family],
        Field(min_length=1, validation_alias=AliasChoices("families", "family")),
        BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    ] = ["grid"]
    """Kinds of networks. ``grid`` and the baselines need no more than the fields above."""
    adafocus: AdaFocusChoices | None = None
    sfc: CompressionChoices | None = None

    @model_validator(mode="after")
    def _sections_there(self) -> SearchSpace:
        missing = [name for name in self.families if getattr(self, name, self) is None]
        if missing:
            raise ValueError(f"the family {missing[0]} needs a section {missing[0]!r}")
        if self.adafocus and max(self.adafocus.patch_sizes) > min(self.image_sizes):
            raise ValueError("adafocus.patch_sizes must not exceed image_sizes")
        if self.adafocus and max(size or 0 for size in self.adafocus.global_sizes) > min(self.image_sizes):
            raise ValueError("adafocus.global_sizes must not exceed image_sizes")
        if self.sfc and max(self.sfc.splits) >= self.exits.max_depth:
            raise ValueError("sfc.splits must lie inside the backbone, below exits.max_depth")
        return self

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

    def only(self, families: Sequence[str] | None) -> SearchSpace:
        """Return the space with these families instead of its own; None leaves it as it is.

        Raises:
            SpaceError: A family is unknown, or the space has no section for it.
        """
        if families is None:
            return self
        try:
            return SearchSpace.model_validate(self.model_dump() | {"families": list(families)})
        except ValidationError as error:
            raise SpaceError(describe(error), where="families") from error

    @property
    def fingerprint(self) -> str:
        """A hash of all choices; a study is resumed only with the space it began with."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    def cheapest_plans(self) -> Iterator[Plan]:
        """Yield plans among which is that with the cheapest first exit of all."""
        for name in self.families:
            if name in SHIFTS:
                yield from baselines(name, self)
            elif name == "adafocus" and self.adafocus:
                yield from self.adafocus.cheapest(self)
            elif name == "sfc" and self.sfc:
                yield from self.sfc.cheapest(self)
            else:
                yield from self._cheapest_grids()

    def _cheapest_grids(self) -> Iterator[Plan]:
        for backbone, grid, size in product(self.backbones, self.frames, self.image_sizes):
            order = FrameOrder.named(self.frame_orders[0], grid.num_sets)
            exits = self.cheapest_exits(grid.num_sets)
            yield Plan(backbone, grid.num_frames, order, exits, image_size=size, head=self.heads[0])

    def cheapest_exits(self, num_sets: int) -> ExitPlacement:
        """Return the placement of a single exit that costs as little as any plan's first one."""
        choices = self.exits
        if choices.max_exits == 1 and choices.last == "full":
            return ExitPlacement((Exit(num_sets, choices.max_depth),))
        return ExitPlacement((Exit(1, choices.min_depth),))

    def sample(self, trial: Suggester) -> Plan:
        """Return the plan that ``trial`` proposes. The same parameters always give the same plan.

        Parameters that have only one choice are not asked for, so that a dashboard shows real choices only.
        """
        family = choose(trial, "family", list(self.families))
        if family in SHIFTS:
            return sample_baseline(family, trial, self)
        if family == "adafocus" and self.adafocus:
            return self.adafocus.sample(trial, self)
        if family == "sfc" and self.sfc:
            return self.sfc.sample(trial, self)
        trunk = self.sample_trunk(trial)
        return replace(trunk, exits=self._sample_exits(trial, trunk.num_sets))

    def sample_trunk(self, trial: Suggester) -> Plan:
        """Return the plan that ``trial`` proposes, with the grid's last cell as its only exit.

        It stands for all plans that differ in their exits only.
        """
        by_name = {str(grid): grid for grid in self.frames}
        grid = by_name[choose(trial, "frames", list(by_name))]
        return Plan(
            family="grid",
            backbone=choose(trial, "backbone", self.backbones),
            num_frames=grid.num_frames,
            image_size=choose(trial, "image_size", self.image_sizes),
            frame_order=self._sample_order(trial, grid.num_sets),
            temporal_shift=TemporalShift(
                kind=choose(trial, "temporal_shift", self.temporal_shifts),
                across_groups=choose(trial, "shift_across_groups", self.across_groups),
            ),
            head=choose(trial, "head", self.heads),
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

    def exit_params(self, exits: ExitPlacement) -> dict[str, int]:
        """Return the parameters by which :meth:`sample` proposes these exits."""
        choices = self.exits
        params = {} if choices.min_exits == choices.max_exits else {"num_exits": len(exits)}
        sampled = exits.exits[:-1] if choices.last == "full" else exits.exits
        for k, exit_ in enumerate(sampled, start=1):
            params[f"exit{k}.sets"] = exit_.sets
            if choices.min_depth < choices.max_depth:
                params[f"exit{k}.depth"] = exit_.depth
        return params

    def _sample_order(self, trial: Suggester, num_sets: int) -> FrameOrder:
        order = FrameOrder.named(choose(trial, "frame_order", self.frame_orders), num_sets)
        for k in range(1, between(trial, "order_moves", 0, self.order_moves) + 1):
            source = between(trial, f"move{k}.from", 0, num_sets - 1)
            order = order.moved(source, between(trial, f"move{k}.to", 0, num_sets - 1))
        return order

    def _sample_exits(self, trial: Suggester, num_sets: int) -> ExitPlacement:
        choices = self.exits
        num_exits = between(trial, "num_exits", choices.min_exits, choices.max_exits)
        last_is_full = choices.last == "full"
        sets, depths = [], []
        for k in range(1, num_exits + 1 - last_is_full):
            sets.append(between(trial, f"exit{k}.sets", 1, num_sets))
            depths.append(between(trial, f"exit{k}.depth", choices.min_depth, choices.max_depth))
        if last_is_full:
            full = Exit(num_sets, choices.max_depth)
            sets.append(full.sets)
            depths.append(full.depth)
        return ExitPlacement.rising(sets, depths)
