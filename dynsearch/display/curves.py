"""Accuracy against cost, for scores and frontiers of any network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dynsearch.display.figures import own_axes
from dynsearch.display.words import Unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Curve(NamedTuple):
    """One line of the picture: costs and top-1 (0..1) of its points, and top-1's 95% interval where it is known."""

    label: str
    costs: Sequence[float]
    top1s: Sequence[float]
    band: Sequence[tuple[float, float]] = ()


def plot_curves(
    curves: Sequence[Curve],
    axes: Axes | None = None,
    *,
    unit: Unit,
    chosen: tuple[float, float] | None = None,
    budget: float | None = None,
    marker: str = "",
) -> Axes:
    """Draw top-1 against cost per video on ``axes``, or a new figure; mark a (cost, top-1) and a finite budget."""
    axes = own_axes(6.4, 4.2) if axes is None else axes
    for place, curve in enumerate(curves):
        top1s = [100 * top1 for top1 in curve.top1s]
        axes.plot(curve.costs, top1s, label=curve.label, linewidth=1.5, marker=marker, color=f"C{place}")
        if curve.band:
            order = np.argsort(curve.costs)
            low, high = 100 * np.array(curve.band).T[:, order]
            axes.fill_between(
                np.array(curve.costs)[order], low, high, alpha=0.2, linewidth=0, color=f"C{place}",
                label=f"{curve.label}, 95% interval",
            )  # fmt: skip
    if chosen is not None:
        axes.plot(chosen[0], 100 * chosen[1], "o", color="C0", label="chosen")
    if budget is not None and math.isfinite(budget):
        axes.axvline(budget, color="0.6", linewidth=1, linestyle="--")
    axes.set_xlabel(unit.axis)
    axes.set_ylabel("top-1 (%)")
    axes.grid(alpha=0.3)
    axes.legend()
    return axes
