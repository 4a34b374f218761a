"""A plan on its frames x depth grid."""

from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from dynsearch.display.words import percent
from dynsearch.plan import Plan
from dynsearch.plan.plan_grid import GridRow, grid_rows
from dynsearch.report.html.axes import picture
from dynsearch.report.html.tag import tag

_LEFT, _TOP, _CELL, _HEIGHT = 92.0, 34.0, 84.0, 44.0
_MIN_WIDTH = 520.0
"""Of the picture; a narrow grid would be blown up."""
NUM_COLOURS = 8


def exit_class(index: int) -> str:
    """Return the CSS class that gives exit ``index`` (from 0) its colour."""
    return f"e{index % NUM_COLOURS}"


def grid_chart(plan: Plan, exit_share: Sequence[float]) -> Markup:
    """Return the plan's grid: rows are frames in feeding order, columns depth stages, boxes the exits."""
    rows = grid_rows(plan)
    depth = len(rows[0].first_exit)
    right = _LEFT + depth * _CELL
    width, height = max(right + 6, _MIN_WIDTH), _TOP + len(rows) * _HEIGHT + 4
    parts = [tag("text", "frames", x=_LEFT - 10, y=_TOP - 12, text_anchor="end", class_="name")]
    for column in range(depth):
        x = _LEFT + (column + 0.5) * _CELL
        parts.append(tag("text", f"depth {column + 1}", x=x, y=_TOP - 12, text_anchor="middle"))
    for row in rows:
        parts += _row(row, exit_share)
    for before, row in pairwise(rows):
        if before.group != row.group:
            y = _TOP + (row.fed - 1) * _HEIGHT
            parts.append(tag("line", x1=6.0, x2=right, y1=y, y2=y, class_="group"))
    exits = ", ".join(
        f"exit {k} after {plan.frames_seen(exit_)} frames at depth {exit_.depth} takes {percent(share, 0)}"
        for k, (exit_, share) in enumerate(zip(plan.exits.exits, exit_share, strict=True), start=1)
    )
    return picture("The chosen plan", f"Frames by depth; {exits}.", width, height, *parts)


def _row(row: GridRow, exit_share: Sequence[float]) -> list[Markup]:
    y = _TOP + (row.fed - 1) * _HEIGHT
    middle = y + _HEIGHT / 2
    parts = [tag("text", row.frames_text, x=_LEFT - 10, y=middle, text_anchor="end", dy="0.35em")]
    for column, needed in enumerate(row.first_exit):
        x = _LEFT + column * _CELL
        colour = "none" if needed is None else exit_class(needed)
        parts.append(
            tag("rect", x=x + 1, y=y + 1, width=_CELL - 2, height=_HEIGHT - 2, rx=3, class_=f"cell {colour}")
        )
        centre = x + _CELL / 2
        if column in row.exit:
            k = row.exit[column]
            parts.append(
                tag("rect", x=x + 8, y=y + 4, width=_CELL - 16, height=_HEIGHT - 8, rx=5, class_="exit")
            )
            parts.append(
                tag("text", f"exit {k + 1}", x=centre, y=y + 19, text_anchor="middle", class_="strong")
            )
            share = percent(exit_share[k], 0)
            parts.append(tag("text", share, x=centre, y=y + 34, text_anchor="middle", class_="onexit"))
        elif needed is not None:
            parts.append(
                tag(
                    "text", needed + 1, x=centre, y=middle, text_anchor="middle", dy="0.35em", class_="oncell"
                )
            )
    return parts
