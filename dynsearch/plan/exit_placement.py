"""Where on the frames x depth grid the exits sit (the paper calls an exit a checkpoint)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from dynsearch.errors import PlanError, shown

_EXIT = re.compile(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})")


@dataclass(frozen=True, order=True)
class Exit:
    """A grid cell with a classifier. Written ``2x3``: after 2 frame sets and 3 depth stages.

    Attributes:
        sets: Number of frame sets seen, 1..N. The paper's row index is ``sets - 1``.
        depth: Number of depth stages passed, 1..M.
    """

    sets: int
    depth: int

    def __post_init__(self) -> None:
        if self.sets < 1 or self.depth < 1:
            raise PlanError(
                f"an exit counts sets and stages from 1, got {self.sets}x{self.depth}", where="exits"
            )

    @classmethod
    def parse(cls, text: object) -> Exit:
        """Return the exit written as ``SETSxDEPTH``, for instance ``4x5``.

        Raises:
            PlanError: ``text`` is not of that form.
        """
        match = _EXIT.fullmatch(str(text).strip())
        if match is None:
            raise PlanError(
                f"can't read the exit {shown(text)}", where="exits", hint="Write SETSxDEPTH, for instance 4x5"
            )
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.sets}x{self.depth}"


@dataclass(frozen=True)
class ExitPlacement:
    """The exits of a network in the order they are met.

    Placements rise in both axes (paper section 3.2: i_0 <= i_1 <= ..., j_0 <= j_1 <= ...), so that nothing
    computed for one exit is wasted at the next.

    Raises:
        PlanError: There is no exit, two are equal, or one falls back in sets or depth.
    """

    exits: tuple[Exit, ...]

    def __post_init__(self) -> None:
        if not self.exits:
            raise PlanError("a plan needs at least one exit", where="exits")
        for before, after in pairwise(self.exits):
            if before == after:
                raise PlanError(f"the exit {before} is there twice", where="exits")
            if after.sets < before.sets or after.depth < before.depth:
                raise PlanError(
                    f"exits must rise in sets and depth, got {before} then {after}",
                    where="exits",
                    hint="Put them in the order they are reached",
                )

    @classmethod
    def of(cls, *exits: str) -> ExitPlacement:
        """Return the placement of exits written as ``SETSxDEPTH``."""
        return cls(tuple(Exit.parse(text) for text in exits))

    @classmethod
    def rising(cls, sets: Iterable[int], depths: Iterable[int]) -> ExitPlacement:
        """Return the placement of the sorted ``sets`` paired with the sorted ``depths``; equal exits merge.

        Any numbers of equal length give a valid placement, which is what a sampler needs.
        """
        exits = [Exit(*pair) for pair in zip(sorted(sets), sorted(depths), strict=True)]
        return cls(tuple(dict.fromkeys(exits)))

    @property
    def last(self) -> Exit:
        """The exit that takes every video left."""
        return self.exits[-1]

    def __len__(self) -> int:
        return len(self.exits)

    def __str__(self) -> str:
        return " ".join(map(str, self.exits))
