"""The frontiers of several network families in one picture."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from dynsearch.display.figures import saved_frontiers
from dynsearch.measures import COUNTED, CostMeasure

# Okabe and Ito's palette, told apart by colour-blind readers.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS = "osD^vP"


def plot_families(
    rows_by_family: Mapping[str, Sequence[Mapping[str, Any]]],
    path: str | os.PathLike[str],
    *,
    title: str,
    budget: float | None = None,
    measure: CostMeasure = COUNTED,
) -> None:
    """Draw each family's frontier on test: top-1 with its interval, or mAP where rows have it, against cost.

    Rows are those of ``frontier.csv``, ``path`` a ``.png``, ``.svg`` or ``.pdf`` file; the budget is drawn as a line.
    """
    has_map = any("test_map" in row for rows in rows_by_family.values() for row in rows)
    name_y = f"{'mAP' if has_map else 'top-1 accuracy'} (%), on test"
    with saved_frontiers(path, title, measure, name_y, budget, legend_columns=6) as axes:
        for i, (name, rows) in enumerate(rows_by_family.items()):
            ordered = sorted(rows, key=lambda row: row[f"test_{measure.name}"])
            cost = [row[f"test_{measure.name}"] for row in ordered]
            colour, marker = _COLOURS[i % len(_COLOURS)], _MARKERS[i % len(_MARKERS)]
            if not has_map:
                low, high = ([100 * row[f"test_top1_{end}"] for row in ordered] for end in ("low", "high"))
                axes.fill_between(cost, low, high, color=colour, alpha=0.12, linewidth=0)
            values = [100 * row["test_map" if has_map else "test_top1"] for row in ordered]
            axes.plot(cost, values, color=colour, marker=marker, markersize=3, linewidth=1.2, label=name)
