"""What ``dynsearch calibrate`` reads from people, and prints for them."""

import math
import tempfile
from html import escape
from itertools import count
from pathlib import Path

from dynsearch.calibration import Calibration
from dynsearch.display.figures import saved_figure
from dynsearch.display.notebook import page
from dynsearch.display.words import cost_text, threshold_text
from dynsearch.errors import InputError
from dynsearch.frontier import CrossFitted, Interval
from dynsearch.scores.calibration import ExitCalibration
from dynsearch.thresholds import OperatingPoint
from dynsearch.thresholds.groups import GroupView
from dynsearch.thresholds.risk import DEFAULT_MAX_DROP

OWN_PAGE = "dynsearch calibrate"
"""What pages say of who made them."""
_ROWS = 16
_GROUP_ROWS = 10


def to_text(result: Calibration) -> str:
    """Return a table of some of the frontier's points, the chosen one marked, and what is known of it."""
    rows = [_header(result)]
    shown = set(result.frontier.thin(_ROWS)) if len(result.frontier) > _ROWS else set(result.frontier)
    for place, point in enumerate(result.frontier):
        if point in shown or place == result.chosen:
            estimate = None if result.cross_fitted is None else result.cross_fitted[place]
            applied = None if result.applied is None else result.applied[place]
            rows.append(_row(result, "*" * (place == result.chosen), point, estimate, applied))
    lines = [f"{len(result.frontier)} points, {len(rows) - 1} shown; below them, all videos at one exit", ""]
    for k, (point, applied) in enumerate(result.always, start=1):
        name = "full network" if k == len(result.always) else f"exit {k}"
        rows.append(_row(result, name, point, point, applied))
    lines += _aligned(rows)
    if result.confidence_values is not None:
        values = ", ".join(f"{name} {100 * v:.2f}" for name, v in result.confidence_values.items())
        lines += ["", f"confidence {result.confidence} (mean cross-fitted top-1 %: {values})"]
    if result.temperatures is not None:
        lines += ["", *_temperature_lines(result.temperatures)]
    if result.point is not None:
        lines += ["", *_point_lines(result, result.point)]
    return "\n".join(lines)


def to_page(result: Calibration, name: str) -> str:
    """Return the same as one HTML page, with the frontier drawn; it needs no other file."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "frontier.svg"
        with saved_figure(picture, width=6.4, height=4.2) as (_, axes):
            result.plot(axes)
        drawn = picture.read_text(encoding="utf-8")
    body = page(f"Thresholds for {name}", *result.notes, text=to_text(result))
    head = f'<!doctype html><meta charset="utf-8"><title>{escape(name)} - {OWN_PAGE}</title>'
    return f"{head}{body}{drawn[drawn.index('<svg') :]}\n"


def _header(result: Calibration) -> list[str]:
    unit = result.measure.unit
    header = ["", unit, "top-1 %"] + ["expected %"] * _says_more(result)
    if result.cross_fitted is not None:
        header += [f"cross-fitted {unit}", "cross-fitted top-1 %"]
        if result.applied is None:
            header.append("95% interval")
    if result.applied is not None:
        header += [f"applied {unit}", "95% interval", "applied top-1 %", "95% interval"]
    return [*header, "% stopping at each exit"]


def _row(
    result: Calibration,
    mark: str,
    point: OperatingPoint,
    estimate: OperatingPoint | CrossFitted | None,
    applied: OperatingPoint | None,
) -> list[str]:
    row = [mark, cost_text(point.cost), f"{100 * point.top1:.2f}"]
    if _says_more(result):
        expected = "" if point.expected is None else f"{100 * point.expected:.2f}"
        row.append(expected + ("?" if point.doubt else " ") * bool(expected))
    if result.cross_fitted is not None and estimate is not None:
        row += [cost_text(estimate.cost), f"{100 * estimate.top1:.2f}"]
        intervals = result.intervals(estimate, result.cost_E)
        if applied is None and intervals is not None:
            row.append(_percents(intervals.top1))
    intervals = None if applied is None else result.intervals(applied, result.applied_cost_E)
    if applied is not None and intervals is not None:
        row += [cost_text(applied.cost), "-".join(cost_text(end) for end in intervals.cost)]
        row += [f"{100 * applied.top1:.2f}", _percents(intervals.top1)]
    return [*row, " ".join(f"{100 * share:.0f}" for share in point.exit_share)]


def _says_more(result: Calibration) -> bool:
    return result.frontier[0].expected is not None


def _percents(interval: Interval) -> str:
    return f"{100 * interval.low:.2f}-{100 * interval.high:.2f}"


def _point_lines(result: Calibration, point: OperatingPoint) -> list[str]:
    request = result.request
    under = "" if request.budget is None else f" under {request.budget:g} {result.measure.per_video}"
    lines = [f"* best point{under}; a video stops when its confidence is above T:"]
    lines += [
        f"  exit {k}: T = {threshold_text(threshold, '.10g')}, {100 * share:.1f}% of videos stop"
        for k, threshold, share in zip(count(1), point.thresholds, point.exit_share, strict=False)
    ]
    if request.promises_accuracy:
        drop = DEFAULT_MAX_DROP if request.max_drop is None else request.max_drop
        lines.append(
            f"  promise: on new videos top-1 is at most {100 * drop:g} points below the last exit's,"
            f" with chance {100 * (1 - request.risk_delta):g}%"
        )
    if result.exceeding is not None:
        lines.append(
            f"  chance that its cost on new videos exceeds the budget: {100 * result.exceeding:.1f}%"
        )
    for what, value in (("calibration", result.point_map), ("applied", result.applied_map)):
        if value is not None:
            lines.append(
                f"  mAP on the {what} scores: {100 * value:.2f}%, ranked by {result.activation} "
                "(top-1 counts any label of a video as right)"
            )
    if (drift := result.drift) is not None:
        moved = "moved beyond chance" if drift.moved() else "as expected"
        shares = " ".join(f"{100 * share:.0f}" for share in drift.exit_share)
        lines += ["", f"new videos: {moved}; {result.measure.text(drift.cost)}, {shares} % stop"]
        if drift.top1 is None:
            lines.append(
                "  exits and cost do not tell accuracy: a network that is as sure as before and more often wrong is not"
                " seen; --labels FILE with the classes of some of the videos tests it"
            )
        else:
            said = "other than expected beyond chance" if drift.other_top1() else "as expected"
            lines.append(
                f"  top-1 of {drift.num_labelled} labelled ones: {said}; {100 * drift.top1:.1f}%, expected "
                f"{100 * point.worth:.1f}% (chance of such a difference {100 * drift.top1_p_value:.2g}%)"
            )
    if result.rematched is not None:
        lines += ["", "thresholds that restore the stop rates on the new videos:"]
        lines += [
            f"  exit {k}: T = {threshold_text(t, '.10g')}"
            for k, t in enumerate(result.rematched.thresholds, start=1)
        ]
    if result.groups is not None:
        lines += _group_lines(result, result.groups)
    return lines


def _group_lines(result: Calibration, groups: list[GroupView]) -> list[str]:
    kind, name = ("classes", "class") if result.request.by_class else ("groups", "group")
    table = [
        [name, "videos", "top-1 %", "at last exit %", "drop", result.measure.unit, "% stopping at each exit"]
    ]
    table += [
        [
            str(view.group),
            str(view.num_videos),
            *(f"{100 * share:.1f}" for share in (view.top1, view.full_top1, view.drop)),
            cost_text(view.cost),
            " ".join(f"{100 * share:.0f}" for share in view.exit_share),
        ]
        for view in groups[:_GROUP_ROWS]
    ]
    more = f" ({_GROUP_ROWS} of {len(groups)}; --json has all)" if len(groups) > _GROUP_ROWS else ""
    return ["", f"{kind} that early exits hurt most{more}:", *_aligned(table)]


def _temperature_lines(temperatures: list[ExitCalibration]) -> list[str]:
    table = [["exit", "temperature", "NLL", "scaled NLL", "ECE %", "scaled ECE %"]]
    for k, found in enumerate(temperatures, start=1):
        row = [
            str(k),
            f"{found.temperature:.3f}" if not found.at_bound else f"{found.temperature:g}",
            f"{found.nll_before:.4f}",
            f"{found.nll_after:.4f}",
        ]
        table.append([*row, f"{100 * found.ece_before:.2f}", f"{100 * found.ece_after:.2f}"])
    return _aligned(table)


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True))
        + "  "
        + row[-1]
        for row in rows
    ]


def parse_grid(text: str) -> list[float]:
    """Return the numbers of ``0.8,1,1.2``, or of ``0.05:1.95:200``: from, to, how many.

    Raises:
        InputError: It is neither, or not all numbers are finite.
    """
    try:
        if ":" in text:
            first, last, count = text.split(":")
            steps = max(int(count) - 1, 1)
            if int(count) < 1:
                raise ValueError
            values = [
                float(first) + (float(last) - float(first)) * step / steps for step in range(int(count))
            ]
        else:
            values = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(
            f"a grid must be numbers such as 0.8,1,1.2 or 0.05:1.95:200, got {text!r}"
        ) from error
    if not all(math.isfinite(value) for value in values):
        raise InputError(f"a grid must hold finite numbers, got {text!r}")
    return values


def parse_costs(text: str) -> list[float]:
    """Return the numbers of ``4,8,13``.

    Raises:
        InputError: They are none.
    """
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"--gmacs must be numbers such as 4,8,13, got {text!r}") from error
