"""A plan on its frames x depth grid, as a picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from dynsearch.display.figures import EXIT_COLOURS, GREY, saved_figure
from dynsearch.display.words import percent
from dynsearch.plan.plan_grid import Gridded, GridRow, grid_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = (1.9, 0.72), (1.1, 0.34)
"""Of a picture, in inches: at least, and for each column or row."""


def plot_grid(
    plan: Gridded, path: str | os.PathLike[str], *, title: str, exit_share: Sequence[float] | None = None
) -> None:
    """Draw a plan's grid into a ``.png``, ``.svg`` or ``.pdf`` file; see :func:`draw_grid`."""
    width, height = picture_size(plan)
    with saved_figure(path, width=width, height=height) as (_, axes):
        draw_grid(plan, axes, title=title, exit_share=exit_share)


def picture_size(plan: Gridded) -> tuple[float, float]:
    """Return width and height of a plan's picture, in inches."""
    rows = grid_rows(plan)
    return WIDTH[0] + WIDTH[1] * len(rows[0].first_exit), HEIGHT[0] + HEIGHT[1] * len(rows)


def draw_grid(plan: Gridded, axes: Axes, *, title: str, exit_share: Sequence[float] | None = None) -> None:
    """Draw which cell is computed for which exit, in feeding order, and where the exits sit.

    Args:
        plan: The plan.
        axes: Where to draw.
        title: Shown above the picture.
        exit_share: Share of videos leaving at each exit, written beside it.
    """
    rows = grid_rows(plan)
    depth = len(rows[0].first_exit)
    for row in rows:
        _draw_row(axes, row, exit_share)
    for before, row in pairwise(rows):
        if before.group != row.group:
            axes.axhline(row.fed - 1, color="black", linewidth=1.2, linestyle=(0, (4, 2)))
    axes.set_xlim(0, depth)
    axes.set_ylim(len(rows), 0)
    axes.set_xticks([j + 0.5 for j in range(depth)], [str(j + 1) for j in range(depth)])
    axes.set_yticks([row.fed - 0.5 for row in rows], [row.frames_text for row in rows])
    axes.tick_params(length=0)
    axes.set_xlabel("depth stage")
    axes.set_ylabel("frames, in feeding order")
    axes.set_title(title, loc="left")
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_row(axes: Axes, row: GridRow, exit_share: Sequence[float] | None) -> None:
    from matplotlib.patches import Rectangle

    for column, needed in enumerate(row.first_exit):
        colour = "#F2F2F2" if needed is None else EXIT_COLOURS[needed % len(EXIT_COLOURS)]
        shape = Rectangle(
            (column, row.fed - 1), 1, 1, facecolor=colour, alpha=0.55, edgecolor="white", linewidth=1.5
        )
        axes.add_patch(shape)
        if column not in row.exit:
            if needed is not None:
                axes.text(
                    column + 0.5, row.fed - 0.5, str(needed + 1), color=GREY, ha="center", va="center", size=7
                )
            continue
        k = row.exit[column]
        text = f"exit {k + 1}" if exit_share is None else f"exit {k + 1}\n{percent(exit_share[k], 0)}"
        axes.text(
            column + 0.5, row.fed - 0.5, text, ha="center", va="center", size=7, weight="bold", linespacing=0.95,
            bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "black", "linewidth": 0.9},
        )  # fmt: skip
