"""What ``dynsearch calibrate`` prints and writes."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynsearch.errors import InputError
from dynsearch.files import write_text, written_whole
from dynsearch.frontier import Frontier, top1_interval
from dynsearch.thresholds import OperatingPoint
from dynsearch.units import format_gflops

_ROWS = 16
_PLOT_SUFFIXES = (".png", ".svg", ".pdf")
_INFINITY = "\u0000infinity"


@dataclass(frozen=True)
class Calibration:
    """The answer of ``dynsearch calibrate``.

    Args:
        frontier: On the calibration scores.
        point: The one chosen under the budget, when there is a budget.
        applied: The frontier's policies on other scores, in the same order.
    """

    frontier: Frontier
    point: OperatingPoint | None
    applied: list[OperatingPoint] | None

    @property
    def chosen(self) -> int | None:
        """The place of the chosen point in the frontier."""
        return None if self.point is None else list(self.frontier).index(self.point)


def to_json(result: Calibration) -> str:
    """Return the whole result as strict JSON; infinite thresholds are 1e999, which reads back as infinity."""
    values: dict[str, Any] = {
        "point": None if result.point is None else result.point.to_dict(),
        "frontier": [point.to_dict() for point in result.frontier],
    }
    if result.applied is not None:
        values["applied"] = [_applied_dict(point) for point in result.applied]
        values["applied_point"] = None if result.chosen is None else values["applied"][result.chosen]
    text = json.dumps(_without_infinity(values), allow_nan=False)
    quoted = json.dumps(_INFINITY)
    return text.replace(quoted[:-1] + '-"', "-1e999").replace(quoted, "1e999")


def to_text(result: Calibration, max_gflops: float | None) -> str:
    """Return a table of some of the frontier's points, the chosen one marked, and its thresholds."""
    rows = [_header(result)]
    shown = set(result.frontier.thin(_ROWS)) if len(result.frontier) > _ROWS else set(result.frontier)
    for place, point in enumerate(result.frontier):
        if point not in shown and place != result.chosen:
            continue
        row = ["*" if place == result.chosen else "", format_gflops(point.gflops), f"{100 * point.top1:.2f}"]
        if result.applied is not None:
            applied = result.applied[place]
            low, high = top1_interval(applied.top1, applied.num_videos)
            row += [format_gflops(applied.gflops), f"{100 * applied.top1:.2f}"]
            row += [f"{100 * low:.2f}-{100 * high:.2f}"]
        rows.append([*row, " ".join(f"{100 * share:.0f}" for share in point.exit_share)])
    lines = [f"{len(result.frontier)} points, {len(rows) - 1} shown", "", *_aligned(rows)]
    if result.point is not None and max_gflops is not None:
        lines += [
            "",
            f"* best point under {max_gflops:g} GFLOPs per video; a video stops when confidence > T:",
        ]
        lines += [
            f"  exit {exit_index}: T = {threshold:.10g}, {100 * share:.1f}% of videos stop"
            for exit_index, (threshold, share) in enumerate(
                zip(result.point.thresholds, result.point.exit_share, strict=True)
            )
        ]
    return "\n".join(lines)


def write_csv(path: Path, result: Calibration) -> None:
    """Write one row for each point of the frontier."""
    num_exits = len(result.frontier[0].thresholds)
    header = ["gflops", "top1", *(f"threshold_{k}" for k in range(num_exits))]
    header += [f"exit_share_{k}" for k in range(num_exits)]
    if result.applied is not None:
        header += ["applied_gflops", "applied_top1", "applied_top1_low", "applied_top1_high"]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    for place, point in enumerate(result.frontier):
        row = [point.gflops, point.top1, *point.thresholds, *point.exit_share]
        if result.applied is not None:
            applied = result.applied[place]
            row += [applied.gflops, applied.top1, *top1_interval(applied.top1, applied.num_videos)]
        writer.writerow(row)
    write_text(path, buffer.getvalue())


def write_plot(path: Path, result: Calibration, max_gflops: float | None) -> None:
    """Draw top-1 against GFLOPs per video.

    Raises:
        InputError: The file's suffix names no picture format.
    """
    if path.suffix.lower() not in _PLOT_SUFFIXES:
        raise InputError(
            f"can't draw into {path.name!r}", hint=f"Use a name ending in {', '.join(_PLOT_SUFFIXES)}"
        )
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    curves = [("calibration (fitted)", list(result.frontier))]
    if result.applied is not None:
        curves.append(("applied", result.applied))
    for label, points in curves:
        axes.plot([p.gflops for p in points], [100 * p.top1 for p in points], label=label, linewidth=1.5)
    if result.point is not None:
        axes.plot(result.point.gflops, 100 * result.point.top1, "o", color="C0", label="chosen")
    if max_gflops is not None and math.isfinite(max_gflops):
        axes.axvline(max_gflops, color="0.6", linewidth=1, linestyle="--")
    axes.set_xlabel("GFLOPs per video (10$^9$ multiply-accumulates)")
    axes.set_ylabel("top-1 (%)")
    axes.grid(alpha=0.3)
    axes.legend()
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _applied_dict(point: OperatingPoint) -> dict[str, Any]:
    low, high = top1_interval(point.top1, point.num_videos)
    return point.to_dict() | {"top1_low": low, "top1_high": high}


def _without_infinity(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_infinity(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_infinity(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return _INFINITY if value > 0 else _INFINITY + "-"
    return value


def _header(result: Calibration) -> list[str]:
    header = ["", "GFLOPs", "top-1 %"]
    if result.applied is not None:
        header += ["applied GFLOPs", "applied top-1 %", "95% interval"]
    return [*header, "% stopping at each exit"]


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True))
        + "  "
        + row[-1]
        for row in rows
    ]
