"""In which order the frame sets are fed, and in which groups (paper section 3.2.1, Eq. 4-6)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dynsearch.errors import PlanError, shown

Groups = list[list[int]]

MAX_SETS = 1024
"""The most frame sets of a plan."""

LARGEST = 1_000_000
"""The largest number in a plan's file."""


@dataclass(frozen=True)
class FrameOrder:
    """A permutation of the N frame sets, cut into groups in which time runs forward.

    Attributes:
        sets: The frame sets in feeding order, a permutation of 0..N-1.
        group_sizes: How many sets each group holds; they sum to N.

    Raises:
        PlanError: ``sets`` is no permutation, or the groups don't add up to it.
    """

    sets: tuple[int, ...]
    group_sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.sets or sorted(self.sets) != list(range(len(self.sets))):
            raise PlanError(
                f"a frame order must hold each of the sets 0..{max(len(self.sets) - 1, 0)} once, "
                f"got {shown(list(self.sets))}",
                where="frame_order",
            )
        if min(self.group_sizes, default=0) < 1 or sum(self.group_sizes) != len(self.sets):
            raise PlanError(
                f"group sizes must be positive and sum to {len(self.sets)} sets, got {shown(list(self.group_sizes))}",
                where="frame_order",
            )

    @classmethod
    def named(cls, name: str, num_sets: int) -> FrameOrder:
        """Return the order called ``name`` for ``num_sets`` frame sets.

        Raises:
            PlanError: There is no such name, or it isn't defined for that number of sets.
        """
        if name not in NAMED_ORDERS:
            raise PlanError(
                f"there is no frame order {shown(name)}",
                where="frame_order",
                hint=f"Names: {', '.join(NAMED_ORDERS)}; or give sets and groups",
            )
        if not 1 <= num_sets <= MAX_SETS:
            raise PlanError(
                f"needs at least one frame set and at most {MAX_SETS}, got {shown(num_sets)}",
                where="num_sets",
            )
        groups = [group for group in NAMED_ORDERS[name](num_sets) if group]
        return cls(tuple(i for group in groups for i in group), tuple(len(group) for group in groups))

    @classmethod
    def free(cls, sets: Iterable[int]) -> FrameOrder:
        """Return the order that feeds ``sets`` one after the other; a group ends where time falls back.

        Raises:
            PlanError: ``sets`` is no permutation.
        """
        order = tuple(sets)
        starts = [0, *(i for i in range(1, len(order)) if order[i] < order[i - 1]), len(order)]
        return cls(order, tuple(b - a for a, b in itertools.pairwise(starts)))

    def moved(self, source: int, target: int) -> FrameOrder:
        """Return the free order in which the set at position ``source`` stands at position ``target`` instead."""
        sets = list(self.sets)
        sets.insert(target, sets.pop(source))
        return FrameOrder.free(sets)

    @property
    def num_sets(self) -> int:
        """N, the number of frame sets."""
        return len(self.sets)

    @property
    def name(self) -> str | None:
        """The first name in the table that gives this order, or None."""
        for name in NAMED_ORDERS:
            if FrameOrder.named(name, self.num_sets) == self:
                return name
        return None

    @property
    def group_starts(self) -> tuple[int, ...]:
        """Position in feeding order of the first set of each group, beginning with 0."""
        starts = [0]
        for size in self.group_sizes[:-1]:
            starts.append(starts[-1] + size)
        return tuple(starts)

    def frame_indices(self, frames_per_set: int) -> tuple[int, ...]:
        """Return the T = N x E frames in feeding order, as positions in time (Eq. 5 and 6)."""
        return tuple(i * frames_per_set + e for i in self.sets for e in range(frames_per_set))

    def __str__(self) -> str:
        if self.name is not None:
            return self.name
        starts = [*self.group_starts, self.num_sets]
        groups = itertools.pairwise(starts)
        return " | ".join(" ".join(map(str, self.sets[a:b])) for a, b in groups)


def _sequential(num_sets: int) -> Groups:
    return [list(range(num_sets))]


def _paper(num_sets: int) -> Groups:
    """Eq. 4, [0 3 5 6 | 1 2 4 7] for eight sets; in general, even against odd numbers of binary ones.

    For powers of two this continues the paper's pattern: both groups run forward, cover the whole video
    and mix strides of 1, 2 and 3 sets.
    """
    return [[i for i in range(num_sets) if i.bit_count() % 2 == parity] for parity in (0, 1)]


def _strided(num_sets: int) -> Groups:
    """Every second set, then the ones between."""
    return [list(range(0, num_sets, 2)), list(range(1, num_sets, 2))]


def _bisection(num_sets: int) -> Groups:
    """Coarse to fine: both ends, then the middle of every gap; each level is a group."""
    levels = [sorted({0, num_sets - 1})]
    seen = levels[0]
    while len(seen) < num_sets:
        middles = [(a + b) // 2 for a, b in itertools.pairwise(seen) if b - a > 1]
        levels.append(middles)
        seen = sorted([*seen, *middles])
    return levels


def _adafocus(num_sets: int) -> Groups:
    """AdaFocusV2: the middle, both ends, then the middles of 2, 4, 8, ... equal parts, those not there yet.

    For eight and sixteen sets these are the orders of ``bisection``, but the middle comes first.
    """
    last, parts = num_sets - 1, 2
    levels = [[last // 2], [0, last]] if last > 1 else _sequential(num_sets)
    while len(seen := set().union(*levels)) < num_sets:
        ends = [last * i // parts for i in range(parts + 1)]
        levels.append(
            [i for i in dict.fromkeys((a + b) // 2 for a, b in itertools.pairwise(ends)) if i not in seen]
        )
        parts *= 2
    return levels


def _frameexit(num_sets: int) -> Groups:
    """FrameExit: the middle, both ends, then always the middle of the widest gap, nearest to the centre first.

    Published for ten frames, [5 0 9 2 7 4 6 3 8 1]; the rule, with halves rounded to even, continues it. Unlike
    AdaFocusV2's it looks outwards from the centre. Groups end where time falls back.
    """
    centre = num_sets // 2
    order = list(dict.fromkeys([centre, 0, num_sets - 1]))
    while len(order) < num_sets:
        gaps = [(a, b) for a, b in itertools.pairwise(sorted(order)) if b - a > 1]
        widest = max(b - a for a, b in gaps)
        middles = [round((a + b) / 2) for a, b in gaps if b - a == widest]
        order.append(min(middles, key=lambda i: (abs(i - centre), -i)))
    sizes = FrameOrder.free(order).group_sizes
    ends = list(itertools.accumulate(sizes))
    return [order[end - size : end] for size, end in zip(sizes, ends, strict=True)]


NAMED_ORDERS: dict[str, Callable[[int], Groups]] = {
    "sequential": _sequential,
    "paper": _paper,
    "strided": _strided,
    "bisection": _bisection,
    "adafocus": _adafocus,
    "frameexit": _frameexit,
}
"""Frame orders by name. A new one is a function from N to its groups and one line here."""

FIRST_NAMES = ("sequential", "paper", "strided", "bisection")
"""Names by which a plan's id knows an order; others, which came later, it knows by their sets and groups."""
