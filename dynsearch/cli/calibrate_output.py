"""What ``dynsearch calibrate`` gives to programs: JSON, CSV and a picture."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from dynsearch.cli.calibrate_run import Calibration, Intervals
from dynsearch.errors import InputError
from dynsearch.files import write_text, written_whole
from dynsearch.units import spelled

_PLOT_SUFFIXES = (".png", ".svg", ".pdf")
_INFINITY = "\u0000infinity"


def to_json(result: Calibration) -> str:
    """Return the whole result as strict JSON; infinite thresholds are 1e999, which reads back as infinity."""
    values: dict[str, Any] = {
        "point": None if result.point is None else result.point.to_dict(),
        "frontier": [point.to_dict() for point in result.frontier],
    }
    if result.applied is not None:
        values["applied"] = [
            point.to_dict() | _ends(result.applied_intervals(place))
            for place, point in enumerate(result.applied)
        ]
        values["applied_point"] = None if result.chosen is None else values["applied"][result.chosen]
    if result.confidence_values is not None:
        values["confidence"] = {"chosen": result.confidence, "cross_fitted_top1": result.confidence_values}
    if result.temperatures is not None:
        values["temperatures"] = [asdict(exit_calibration) for exit_calibration in result.temperatures]
    if result.cross_fitted is not None:
        values["cross_fitted"] = [
            spelled(asdict(estimate)) | _ends(result.cross_fitted_intervals(place))
            for place, estimate in enumerate(result.cross_fitted)
        ]
    if result.exceeding is not None:
        values["chance_of_exceeding_budget"] = result.exceeding
    for name, value in (("point_map", result.point_map), ("applied_map", result.applied_map)):
        if value is not None:
            values[name] = value
    if result.groups is not None:
        name = "classes" if result.request.by_class else "groups"
        values[name] = [spelled(asdict(view)) | {"drop": view.drop} for view in result.groups]
    if result.drift is not None:
        values["drift"] = spelled(asdict(result.drift)) | {"moved": result.drift.moved()}
    if result.rematched is not None:
        values["rematched"] = result.rematched.to_dict()
    text = json.dumps(_without_infinity(values), allow_nan=False)
    quoted = json.dumps(_INFINITY)
    return text.replace(quoted[:-1] + '-"', "-1e999").replace(quoted, "1e999")


def write_csv(path: Path, result: Calibration) -> None:
    """Write one row for each point of the frontier."""
    num_exits = len(result.frontier[0].thresholds)
    header = ["gflops", "top1", *(f"threshold_{k}" for k in range(num_exits))]
    header += [f"exit_share_{k}" for k in range(num_exits)]
    names = ("gflops", "top1", "gflops_low", "gflops_high", "top1_low", "top1_high")
    for kind, measured in (("cross_fitted", result.cross_fitted), ("applied", result.applied)):
        if measured is not None:
            header += [f"{kind}_{name}" for name in names]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    for place, point in enumerate(result.frontier):
        row = [point.cost, point.top1, *point.thresholds, *point.exit_share]
        if result.cross_fitted is not None:
            estimate = spelled(asdict(result.cross_fitted[place])) | _ends(
                result.cross_fitted_intervals(place)
            )
            row += [estimate[name] for name in names]
        if result.applied is not None:
            applied = result.applied[place].to_dict() | _ends(result.applied_intervals(place))
            row += [applied[name] for name in names]
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
        axes.plot([p.cost for p in points], [100 * p.top1 for p in points], label=label, linewidth=1.5)
    if result.applied is not None:
        ends = [_ends(result.applied_intervals(place)) for place in range(len(result.applied))]
        order = np.argsort([p.cost for p in result.applied])
        axes.fill_between(
            np.array([p.cost for p in result.applied])[order],
            100 * np.array([end["top1_low"] for end in ends])[order],
            100 * np.array([end["top1_high"] for end in ends])[order],
            alpha=0.2,
            linewidth=0,
            color=f"C{len(curves) - 1}",
            label="applied, 95% interval",
        )
    if result.point is not None:
        axes.plot(result.point.cost, 100 * result.point.top1, "o", color="C0", label="chosen")
    budget = result.request.budget
    if budget is not None and math.isfinite(budget):
        axes.axvline(budget, color="0.6", linewidth=1, linestyle="--")
    axes.set_xlabel("GFLOPs per video (10$^9$ multiply-accumulates)")
    axes.set_ylabel("top-1 (%)")
    axes.grid(alpha=0.3)
    axes.legend()
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _ends(intervals: Intervals | None) -> dict[str, float]:
    if intervals is None:
        return {}
    (top1_low, top1_high), (cost_low, cost_high) = intervals
    return {
        "top1_low": top1_low,
        "top1_high": top1_high,
        "gflops_low": cost_low,
        "gflops_high": cost_high,
    }


def _without_infinity(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_infinity(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinity(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return _INFINITY if value > 0 else _INFINITY + "-"
    return value
