"""What ``dynsearch calibrate`` prints and writes."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dynsearch.cli.calibrate_run import Calibration
from dynsearch.errors import InputError
from dynsearch.files import write_text, written_whole
from dynsearch.frontier import top1_interval
from dynsearch.scores.calibration import ExitCalibration
from dynsearch.thresholds import OperatingPoint
from dynsearch.units import format_gflops

_ROWS = 16
_CLASS_ROWS = 10
_PLOT_SUFFIXES = (".png", ".svg", ".pdf")
_INFINITY = "\u0000infinity"


def to_json(result: Calibration) -> str:
    """Return the whole result as strict JSON; infinite thresholds are 1e999, which reads back as infinity."""
    values: dict[str, Any] = {
        "point": None if result.point is None else result.point.to_dict(),
        "frontier": [point.to_dict() for point in result.frontier],
    }
    if result.applied is not None:
        values["applied"] = [_applied_dict(point) for point in result.applied]
        values["applied_point"] = None if result.chosen is None else values["applied"][result.chosen]
    if result.confidence_values is not None:
        values["confidence"] = {"chosen": result.confidence, "cross_fitted_top1": result.confidence_values}
    if result.temperatures is not None:
        values["temperatures"] = [asdict(exit_calibration) for exit_calibration in result.temperatures]
    if result.cross_fitted is not None:
        values["cross_fitted"] = [asdict(estimate) for estimate in result.cross_fitted]
    if result.exceeding is not None:
        values["chance_of_exceeding_budget"] = result.exceeding
    for name, value in (("point_map", result.point_map), ("applied_map", result.applied_map)):
        if value is not None:
            values[name] = value
    if result.classes is not None:
        values["classes"] = [asdict(view) | {"drop": view.drop} for view in result.classes]
    if result.drift is not None:
        values["drift"] = asdict(result.drift) | {"moved": result.drift.moved()}
    if result.rematched is not None:
        values["rematched"] = result.rematched.to_dict()
    text = json.dumps(_without_infinity(values), allow_nan=False)
    quoted = json.dumps(_INFINITY)
    return text.replace(quoted[:-1] + '-"', "-1e999").replace(quoted, "1e999")


def to_text(result: Calibration) -> str:
    """Return a table of some of the frontier's points, the chosen one marked, and what is known of it."""
    rows = [_header(result)]
    shown = set(result.frontier.thin(_ROWS)) if len(result.frontier) > _ROWS else set(result.frontier)
    for place, point in enumerate(result.frontier):
        if point in shown or place == result.chosen:
            rows.append(_row(result, place, point))
    lines = [f"{len(result.frontier)} points, {len(rows) - 1} shown", "", *_aligned(rows)]
    if result.confidence_values is not None:
        values = ", ".join(f"{name} {100 * v:.2f}" for name, v in result.confidence_values.items())
        lines += ["", f"confidence {result.confidence} (mean cross-fitted top-1 %: {values})"]
    if result.temperatures is not None:
        lines += ["", *_temperature_lines(result.temperatures)]
    if result.point is not None:
        lines += ["", *_point_lines(result, result.point)]
    return "\n".join(lines)


def write_csv(path: Path, result: Calibration) -> None:
    """Write one row for each point of the frontier."""
    num_exits = len(result.frontier[0].thresholds)
    header = ["gflops", "top1", *(f"threshold_{k}" for k in range(num_exits))]
    header += [f"exit_share_{k}" for k in range(num_exits)]
    if result.cross_fitted is not None:
        header += ["cross_fitted_gflops", "cross_fitted_top1"]
    if result.applied is not None:
        header += ["applied_gflops", "applied_top1", "applied_top1_low", "applied_top1_high"]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    for place, point in enumerate(result.frontier):
        row = [point.gflops, point.top1, *point.thresholds, *point.exit_share]
        if result.cross_fitted is not None:
            row += [result.cross_fitted[place].gflops, result.cross_fitted[place].top1]
        if result.applied is not None:
            applied = result.applied[place]
            row += [applied.gflops, applied.top1, *top1_interval(applied.top1, applied.num_videos)]
        writer.writerow(row)
    write_text(path, buffer.getvalue())


def write_plot(path: Path, result: Calibration) -> None:
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
    curves: list[tuple[str, Any]] = [("calibration (fitted)", result.frontier)]
    if result.cross_fitted is not None:
        curves.append(("cross-fitted", result.cross_fitted))
    if result.applied is not None:
        curves.append(("applied", result.applied))
    for label, points in curves:
        axes.plot([p.gflops for p in points], [100 * p.top1 for p in points], label=label, linewidth=1.5)
    if result.point is not None:
        axes.plot(result.point.gflops, 100 * result.point.top1, "o", color="C0", label="chosen")
    budget = result.request.max_gflops
    if budget is not None and math.isfinite(budget):
        axes.axvline(budget, color="0.6", linewidth=1, linestyle="--")
    axes.set_xlabel("GFLOPs per video (10$^9$ multiply-accumulates)")
    axes.set_ylabel("top-1 (%)")
    axes.grid(alpha=0.3)
    axes.legend()
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _header(result: Calibration) -> list[str]:
    header = ["", "GFLOPs", "top-1 %"]
    if result.cross_fitted is not None:
        header += ["cross-fitted GFLOPs", "cross-fitted top-1 %"]
    if result.applied is not None:
        header += ["applied GFLOPs", "applied top-1 %", "95% interval"]
    return [*header, "% stopping at each exit"]


def _row(result: Calibration, place: int, point: OperatingPoint) -> list[str]:
    row = ["*" if place == result.chosen else "", format_gflops(point.gflops), f"{100 * point.top1:.2f}"]
    if result.cross_fitted is not None:
        estimate = result.cross_fitted[place]
        row += [format_gflops(estimate.gflops), f"{100 * estimate.top1:.2f}"]
    if result.applied is not None:
        applied = result.applied[place]
        low, high = top1_interval(applied.top1, applied.num_videos)
        row += [
            format_gflops(applied.gflops),
            f"{100 * applied.top1:.2f}",
            f"{100 * low:.2f}-{100 * high:.2f}",
        ]
    return [*row, " ".join(f"{100 * share:.0f}" for share in point.exit_share)]


def _point_lines(result: Calibration, point: OperatingPoint) -> list[str]:
    request = result.request
    under = "" if request.max_gflops is None else f" under {request.max_gflops:g} GFLOPs per video"
    lines = [f"* best point{under}; a video stops when its confidence is above T:"]
    lines += [
        f"  exit {exit_index}: T = {threshold:.10g}, {100 * share:.1f}% of videos stop"
        for exit_index, (threshold, share) in enumerate(zip(point.thresholds, point.exit_share, strict=True))
    ]
    if result.exceeding is not None:
        lines.append(
            f"  chance that its cost on new videos exceeds the budget: {100 * result.exceeding:.1f}%"
        )
    for what, value in (("calibration", result.point_map), ("applied", result.applied_map)):
        if value is not None:
            lines.append(
                f"  mAP on the {what} scores: {100 * value:.2f}% (top-1 counts any label of a video as right)"
            )
    if result.drift is not None:
        moved = "moved beyond chance" if result.drift.moved() else "as expected"
        shares = " ".join(f"{100 * share:.0f}" for share in result.drift.exit_share)
        lines += ["", f"new videos: {moved}; {format_gflops(result.drift.gflops)} GFLOPs, {shares} % stop"]
    if result.rematched is not None:
        lines += ["", "thresholds that restore the stop rates on the new videos:"]
        lines += [f"  exit {k}: T = {t:.10g}" for k, t in enumerate(result.rematched.thresholds)]
    if result.classes is not None:
        table = [["class", "videos", "top-1 %", "at last exit %", "drop", "GFLOPs"]]
        table += [
            [
                str(view.group),
                str(view.num_videos),
                *(f"{100 * share:.1f}" for share in (view.top1, view.full_top1, view.drop)),
                format_gflops(view.gflops),
            ]
            for view in result.classes[:_CLASS_ROWS]
        ]
        lines += ["", "classes that early exits hurt most:", *_aligned(table)]
    return lines


def _temperature_lines(temperatures: list[ExitCalibration]) -> list[str]:
    table = [["exit", "temperature", "NLL", "scaled NLL", "ECE %", "scaled ECE %"]]
    for exit_index, found in enumerate(temperatures):
        row = [
            str(exit_index),
            f"{found.temperature:.3f}",
            f"{found.nll_before:.4f}",
            f"{found.nll_after:.4f}",
        ]
        table.append([*row, f"{100 * found.ece_before:.2f}", f"{100 * found.ece_after:.2f}"])
    return _aligned(table)


def _applied_dict(point: OperatingPoint) -> dict[str, Any]:
    low, high = top1_interval(point.top1, point.num_videos)
    return point.to_dict() | {"top1_low": low, "top1_high": high}


def _without_infinity(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_infinity(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinity(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return _INFINITY if value > 0 else _INFINITY + "-"
    return value


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True))
        + "  "
        + row[-1]
        for row in rows
    ]
