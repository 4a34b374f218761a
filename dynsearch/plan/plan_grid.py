"""A plan on its frames x depth grid: which cell is computed for which exit."""

from dataclasses import dataclass
from typing import Protocol

from dynsearch.plan.exit_placement import ExitPlacement
from dynsearch.plan.frame_order import FrameOrder


class Gridded(Protocol):
    """What is drawn of a plan."""

    @property
    def exits(self) -> ExitPlacement:
        """Where the exits sit."""

    @property
    def frame_order(self) -> FrameOrder:
        """How the frame sets are fed."""

    @property
    def frames_per_set(self) -> int:
        """Frames in a set."""

    @property
    def stages(self) -> int | None:
        """Depth stages, where the plan says so."""


@dataclass(frozen=True)
class GridRow:
    """One frame set, in the order in which sets are fed.

    Attributes:
        fed: Its place in that order, from 1.
        frames: Its frames, as positions in time from 0.
        group: The group of the frame order it belongs to, from 0.
        first_exit: For each depth stage the exit, from 0, that first needs this cell; None where none does.
        exit: The exit that sits in this row, by depth stage from 0.
    """

    fed: int
    frames: tuple[int, ...]
    group: int
    first_exit: tuple[int | None, ...]
    exit: dict[int, int]

    @property
    def frames_text(self) -> str:
        """The row's frames, for instance ``6-7``."""
        first, last = self.frames[0], self.frames[-1]
        return f"{first}" if first == last else f"{first}-{last}"


def grid_rows(plan: Gridded) -> list[GridRow]:
    """Return the grid of ``plan``, a row for each frame set, as deep as its stages (or deepest exit) are known."""
    exits, order, size = plan.exits.exits, plan.frame_order, plan.frames_per_set
    depth = plan.stages or exits[-1].depth
    starts = [*order.group_starts, len(order.sets)]
    rows = []
    for row, set_index in enumerate(order.sets):
        needed = tuple(
            next((k for k, exit_ in enumerate(exits) if row < exit_.sets and column < exit_.depth), None)
            for column in range(depth)
        )
        rows.append(
            GridRow(
                fed=row + 1,
                frames=tuple(range(set_index * size, (set_index + 1) * size)),
                group=sum(start <= row for start in starts) - 1,
                first_exit=needed,
                exit={exit_.depth - 1: k for k, exit_ in enumerate(exits) if exit_.sets == row + 1},
            )
        )
    return rows


def grid_text(plan: Gridded) -> str:
    """Return the grid in characters: the number of the exit a cell is first computed for, [in brackets] the exit.

    A dot is a cell that no exit needs; a line divides the groups of the frame order.
    """
    rows = grid_rows(plan)
    depth, width = len(rows[0].first_exit), len(f"[{len(plan.exits.exits)}]") + 1
    head = max(len("fed  frames"), *(len(f"{row.fed:>3}  {row.frames_text}") for row in rows))
    lines = ["fed  frames".ljust(head) + "".join(f"d{j + 1} ".rjust(width) for j in range(depth))]
    for before, row in zip([None, *rows], rows, strict=False):
        if before is not None and before.group != row.group:
            lines.append("-" * (head + width * depth))
        cells = "".join(_cell(row, column).rjust(width) for column in range(depth))
        lines.append(f"{row.fed:>3}  {row.frames_text}".ljust(head) + cells)
    return "\n".join(line.rstrip() for line in lines)


def _cell(row: GridRow, column: int) -> str:
    if column in row.exit:
        return f"[{row.exit[column] + 1}]"
    needed = row.first_exit[column]
    return ". " if needed is None else f"{needed + 1} "
