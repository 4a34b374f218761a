"""How matplotlib figures of this package look, and saving them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynsearch.display.words import Unit
from dynsearch.errors import InputError
from dynsearch.files import written_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY, GREEN = "#0072B2", "#D55E00", "#5F5F5F", "#009E73"
EXIT_COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#0072B2", "#D55E00", "#999999")
"""Okabe and Ito's palette, told apart by colour-blind readers; exits beyond the eighth begin again."""

OWN_PICTURE = "made by dynsearch"
"""What pictures say of who made them."""
SUFFIXES = {".png": "Software", ".svg": "Creator", ".pdf": "Creator"}
"""Pictures that can be drawn, and where they say who made them."""

_STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.titlesize": 10,
    "legend.fontsize": 8,
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
}


def check_picture(path: Path | None) -> None:
    """Raise InputError for a name that says no format that can be drawn; it lists those there are."""
    if path is not None and path.suffix.lower() not in SUFFIXES:
        raise InputError(f"can't draw into {path.name!r}", hint=f"Use a name ending in {', '.join(SUFFIXES)}")


@contextmanager
def saved_figure(
    path: str | os.PathLike[str], *, width: float, height: float
) -> Iterator[tuple[Figure, Axes]]:
    """Yield a figure, in inches, and its axes; save it to a ``.png``, ``.svg`` or ``.pdf`` when the block ends."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.subplots()
        with written_whole(path) as temporary:
            suffix = temporary.suffix.lower()
            made = {SUFFIXES[suffix]: OWN_PICTURE} | ({"Date": None} if suffix == ".svg" else {})
            figure.savefig(temporary, dpi=200, metadata=made)


@contextmanager
def saved_frontiers(
    path: str | os.PathLike[str] | Axes,
    title: str,
    unit: Unit,
    y_label: str,
    budget: float | None,
    *,
    legend_columns: int,
) -> Iterator[Axes]:
    """Yield the axes of a picture of frontiers; add a line for the budget, names and a legend, and save it.

    ``path`` is as in :func:`saved_figure`, or axes to draw on, which are not saved.
    """
    with _canvas(path, legend_columns) as axes:
        axes.grid(color="#E6E6E6", linewidth=0.6)
        axes.set_axisbelow(True)
        yield axes
        if budget is not None:
            axes.axvline(budget, color=GREY, linestyle=(0, (5, 3)), linewidth=1, label=f"budget {budget:g}")
        axes.set_xlabel(unit.axis)
        axes.set_ylabel(y_label)
        axes.set_title(title, loc="left")


@contextmanager
def _canvas(where: str | os.PathLike[str] | Axes, legend_columns: int) -> Iterator[Axes]:
    if isinstance(where, str | os.PathLike):
        with saved_figure(where, width=5.6, height=3.9) as (figure, axes):
            yield axes
            figure.legend(loc="outside lower center", ncols=legend_columns, frameon=False)
    else:
        yield where
        where.legend()


def own_axes(width: float, height: float) -> Axes:
    """Return the axes of a new figure of ``pyplot``, so that a notebook shows it and ``pyplot.show()`` does too."""
    import matplotlib as mpl
    from matplotlib import pyplot

    with mpl.rc_context(_STYLE):
        _, axes = pyplot.subplots(figsize=(width, height), layout="constrained")
    return axes
