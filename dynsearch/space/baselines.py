"""TSN and TSM: networks with one exit at the end, on the space's axes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING

from dynsearch.plan import Exit, ExitPlacement, FrameOrder, Plan, TemporalShift
from dynsearch.space.trial import Suggester, choose

if TYPE_CHECKING:
    from dynsearch.space.search_space import SearchSpace

SHIFTS = {"tsn": "none", "tsm": "bidirectional"}
"""The temporal shift of each baseline."""


def sample_baseline(name: str, trial: Suggester, space: SearchSpace) -> Plan:
    """Return the plan of baseline ``name`` that ``trial`` proposes."""
    return _plan(
        name,
        space,
        choose(trial, "backbone", space.backbones),
        choose(trial, "num_frames", _frame_counts(space)),
        choose(trial, "image_size", space.image_sizes),
        choose(trial, "head", space.heads),
    )


def baselines(name: str, space: SearchSpace) -> Iterator[Plan]:
    """Yield every plan of baseline ``name``, with the space's first head."""
    for backbone, count, size in product(space.backbones, _frame_counts(space), space.image_sizes):
        yield _plan(name, space, backbone, count, size, space.heads[0])


def _frame_counts(space: SearchSpace) -> list[int]:
    return sorted({grid.num_frames for grid in space.frames})


def _plan(name: str, space: SearchSpace, backbone: str, num_frames: int, image_size: int, head: str) -> Plan:
    order = FrameOrder.named("sequential", num_frames)
    exits = ExitPlacement((Exit(num_frames, space.exits.max_depth),))
    return Plan(backbone, num_frames, order, exits, image_size, TemporalShift(SHIFTS[name]), head)
