"""The frontier as a picture, and those of several network families in one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dynsearch.display.figures import BLUE, GREEN, ORANGE, saved_frontiers
from dynsearch.display.words import Unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette, told apart by colour-blind readers.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS = "osD^vP"


def plot_frontier(
    rows: Sequence[Mapping[str, Any]],
    path: str | os.PathLike[str] | Axes,
    *,
    title: str,
    unit: Unit,
    budget: float | None = None,
    full: tuple[float, float] | None = None,
    chosen: Mapping[str, Any] | None = None,
    split: str = "test",
) -> None:
    """Draw top-1 against cost per video, with the interval as a band.

    Args:
        rows: Rows of ``frontier.csv``, rising in cost. Where they have mAP, it is drawn as well.
        path: A ``.png``, ``.svg`` or ``.pdf`` file; or axes to draw on.
        title: Shown above the picture.
        unit: What costs are in.
        budget: Drawn as a line: the study's budget.
        full: Cost and top-1 of full inference, drawn as a cross.
        chosen: The row of the best point under the budget, drawn as a diamond.
        split: Which split's columns are drawn: its cost, ``SPLIT_top1``, ``_low`` and ``_high``.
    """
    ordered = sorted(rows, key=lambda row: row[f"{split}_{unit.name}"])
    cost = [row[f"{split}_{unit.name}"] for row in ordered]
    low, top1, high = ([100 * row[f"{split}_top1{end}"] for row in ordered] for end in ("_low", "", "_high"))
    has_map = f"{split}_map" in ordered[0]
    name = "top-1 (one of a video's classes) and mAP (%)" if has_map else "top-1 accuracy (%)"
    near = budget is not None and budget < 1.5 * max([*cost, *(full[:1] if full else ())])
    with saved_frontiers(path, title, unit, name, budget if near else None, legend_columns=3) as axes:
        if len(ordered) > 1:
            axes.fill_between(cost, low, high, color=BLUE, alpha=0.16, linewidth=0, label="95% interval")
        else:
            axes.errorbar(
                cost, top1, [[top1[0] - low[0]], [high[0] - top1[0]]], color=BLUE, alpha=0.5, capsize=3,
                linestyle="", label="95% interval",
            )  # fmt: skip
        style: dict[str, Any] = {"markersize": 4 if len(ordered) <= 60 else 2, "linewidth": 1.2}
        axes.plot(cost, top1, "o-", color=BLUE, label=f"frontier, on {split}", **style)
        if has_map:
            values = [100 * row[f"{split}_map"] for row in ordered]
            axes.plot(cost, values, "s--", color=GREEN, label=f"mAP, on {split}", **style)
        if full is not None:
            axes.plot(
                full[0], 100 * full[1], "X", color=ORANGE, markersize=8, mec="white", label="full inference"
            )
        if chosen is not None:
            axes.plot(
                chosen[f"{split}_{unit.name}"], 100 * chosen[f"{split}_top1"], "D", color="white", mec="black",
                mew=1.4, markersize=6.5, label="chosen on calibration",
            )  # fmt: skip
        axes.margins(x=0.03)


def plot_families(
    rows_by_family: Mapping[str, Sequence[Mapping[str, Any]]],
    path: str | os.PathLike[str],
    *,
    title: str,
    budget: float | None = None,
    unit: Unit,
) -> None:
    """Draw each family's frontier on test: top-1 with its interval, or mAP where rows have it, against cost.

    Rows are those of ``frontier.csv``, ``path`` a ``.png``, ``.svg`` or ``.pdf`` file; the budget is drawn as a line.
    """
    has_map = any("test_map" in row for rows in rows_by_family.values() for row in rows)
    name_y = f"{'mAP' if has_map else 'top-1 accuracy'} (%), on test"
    with saved_frontiers(path, title, unit, name_y, budget, legend_columns=6) as axes:
        for i, (name, rows) in enumerate(rows_by_family.items()):
            ordered = sorted(rows, key=lambda row: row[f"test_{unit.name}"])
            cost = [row[f"test_{unit.name}"] for row in ordered]
            colour, marker = _COLOURS[i % len(_COLOURS)], _MARKERS[i % len(_MARKERS)]
            if not has_map:
                low, high = ([100 * row[f"test_top1_{end}"] for row in ordered] for end in ("low", "high"))
                axes.fill_between(cost, low, high, color=colour, alpha=0.12, linewidth=0)
            values = [100 * row["test_map" if has_map else "test_top1"] for row in ordered]
            axes.plot(cost, values, color=colour, marker=marker, markersize=3, linewidth=1.2, label=name)
