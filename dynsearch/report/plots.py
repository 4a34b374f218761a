"""The frontier as a picture."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from dynsearch.files import written_whole

# Okabe and Ito's palette, told apart by colour-blind readers.
_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#666666"


def plot_frontier(
    rows: Sequence[Mapping[str, Any]],
    path: str | os.PathLike[str],
    *,
    title: str,
    max_gflops: float | None = None,
    full: tuple[float, float] | None = None,
) -> None:
    """Draw test top-1 against GFLOPs per video, with the interval as a band.

    Args:
        rows: Rows of ``frontier.csv``, rising in GFLOPs.
        path: A ``.png``, ``.svg`` or ``.pdf`` file.
        title: Shown above the picture.
        max_gflops: Drawn as a line: the study's budget.
        full: GFLOPs and top-1 of full inference, drawn as a cross.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    ordered = sorted(rows, key=lambda row: row["test_gflops"])
    gflops = [row["test_gflops"] for row in ordered]
    figure, axes = plt.subplots(figsize=(7, 4.3), layout="constrained")
    axes.fill_between(
        gflops,
        [100 * row["test_top1_low"] for row in ordered],
        [100 * row["test_top1_high"] for row in ordered],
        color=_BLUE,
        alpha=0.15,
        linewidth=0,
        label="95% interval",
    )
    top1 = [100 * row["test_top1"] for row in ordered]
    axes.plot(gflops, top1, color=_BLUE, marker="o", markersize=3.5, linewidth=1.2, label="frontier, on test")
    if full is not None:
        axes.plot(full[0], 100 * full[1], "x", color=_ORANGE, markersize=9, mew=2, label="full inference")
    if max_gflops is not None and max_gflops < 1.5 * max(*gflops, *(full[:1] if full else ())):
        axes.axvline(max_gflops, color=_GREY, linestyle="--", linewidth=1, label=f"budget {max_gflops:g}")
    axes.set_xlabel("GFLOPs per video (10⁹ multiply-accumulates)")
    axes.set_ylabel("top-1 accuracy (%)")
    axes.set_title(title)
    axes.grid(alpha=0.25)
    axes.legend(loc="lower right", frameon=False)
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=150)
    plt.close(figure)
