"""The answer of a calibration: for people, for programs and for notebooks."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynsearch.calibration.request import Request
from dynsearch.errors import PolicyError
from dynsearch.frontier import CrossFitted, Frontier, Interval, cost_interval, share_interval
from dynsearch.measures import CostMeasure
from dynsearch.scores.calibration import ExitCalibration
from dynsearch.thresholds import ExitPolicy, OperatingPoint
from dynsearch.thresholds.drift import Drift
from dynsearch.thresholds.groups import GroupView

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

_RESAMPLES = 2000
_INFINITY = "\u0000infinity"


class Intervals(NamedTuple):
    """95% bootstrap intervals of a point's accuracy (0..1) and mean cost per video."""

    top1: Interval
    cost: Interval


class Measured(NamedTuple):
    """A point on the calibration scores, and on the test scores if there are any."""

    point: OperatingPoint
    applied: OperatingPoint | None

    def to_dict(self) -> dict[str, object]:
        """Return plain values, those on the test scores under ``applied``."""
        applied = {} if self.applied is None else {"applied": self.applied.to_dict()}
        return self.point.to_dict() | applied


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Calibration:
    """What :func:`dynsearch.calibrate` found.

    Attributes:
        request: What was asked.
        frontier: On the calibration scores.
        confidence: The measure used.
        confidence_values: Cross-fitted value of each measure, when one was chosen among them.
        point: The chosen one, when one was asked for.
        exceeding: Chance that its cost on new videos is above the budget.
        cost_E: The exits' costs.
        always: What each exit achieves if every video stops there; the last is the full network.
        schedule: Every point of the geometric schedule, each with its q, with that solver.
        applied: The frontier's policies on the test scores, in the same order.
        applied_cost_E: The exits' costs there.
        cross_fitted: Honest estimates for the frontier's costs, in the same order.
        temperatures: Of each exit, fitted on calibration, when asked for.
        groups: The chosen point by class or other group.
        activation: What made the probabilities that mAP ranks: ``softmax`` or ``sigmoid``.
        point_map: mAP of the chosen point, where videos have several labels.
        applied_map: The same on the test scores.
        drift: Of new videos under the chosen point.
        rematched: The chosen point with restored stop rates.
        notes: For the user, beside the answer.
    """

    request: Request
    frontier: Frontier
    confidence: str
    cost_E: NDArray[np.float64]
    always: list[Measured]
    schedule: list[Measured] = field(default_factory=list)
    confidence_values: dict[str, float] | None = None
    point: OperatingPoint | None = None
    exceeding: float | None = None
    applied: list[OperatingPoint] | None = None
    applied_cost_E: NDArray[np.float64] | None = None
    cross_fitted: list[CrossFitted] | None = None
    temperatures: list[ExitCalibration] | None = None
    groups: list[GroupView] | None = None
    activation: str = "softmax"
    point_map: float | None = None
    applied_map: float | None = None
    drift: Drift | None = None
    rematched: ExitPolicy | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def chosen(self) -> int | None:
        """The place of the chosen point in the frontier."""
        return None if self.point is None else list(self.frontier).index(self.point)

    @property
    def policy(self) -> ExitPolicy:
        """The policy to use, the rematched one where there is one; PolicyError where no point was chosen."""
        if self.rematched is not None:
            return self.rematched
        if self.point is None:
            raise PolicyError("no point was chosen", hint="Give a budget")
        return self.point.policy

    def applied_intervals(self, place: int) -> Intervals | None:
        """Return the 95% intervals of an applied point."""
        return None if self.applied is None else self.intervals(self.applied[place], self.applied_cost_E)

    def cross_fitted_intervals(self, place: int) -> Intervals | None:
        """Return the 95% intervals of a cross-fitted estimate."""
        return None if self.cross_fitted is None else self.intervals(self.cross_fitted[place], self.cost_E)

    def intervals(
        self, measured: OperatingPoint | CrossFitted, cost_E: NDArray[np.float64] | None
    ) -> Intervals | None:
        """Return the 95% intervals of what was measured on scores whose exits cost ``cost_E``."""
        if cost_E is None:
            return None
        return Intervals(
            share_interval(measured.top1, measured.num_videos, measured.spread, num_resamples=_RESAMPLES),
            cost_interval(
                measured.exit_share, cost_E, measured.num_videos, measured.spread, num_resamples=_RESAMPLES
            ),
        )

    def to_dict(self) -> dict[str, object]:
        """Return everything as plain values, as ``dynsearch calibrate --json`` prints it."""
        values: dict[str, object] = {
            "point": None if self.point is None else self.point.to_dict(),
            "frontier": [point.to_dict() for point in self.frontier],
            "always": [{"exit": k, **measured.to_dict()} for k, measured in enumerate(self.always)],
        }
        if self.schedule:
            values["schedule"] = [measured.to_dict() for measured in self.schedule]
        if self.point_map is not None:
            values["map_ranks"] = self.activation
        if self.applied is not None:
            applied = [
                point.to_dict() | self._ends(self.applied_intervals(place))
                for place, point in enumerate(self.applied)
            ]
            values["applied"] = applied
            values["applied_point"] = None if self.chosen is None else applied[self.chosen]
        if self.confidence_values is not None:
            values["confidence"] = {"chosen": self.confidence, "cross_fitted_top1": self.confidence_values}
        if self.temperatures is not None:
            values["temperatures"] = [asdict(exit_calibration) for exit_calibration in self.temperatures]
        if self.cross_fitted is not None:
            values["cross_fitted"] = [
                self.measure.spelled(asdict(estimate)) | self._ends(self.cross_fitted_intervals(place))
                for place, estimate in enumerate(self.cross_fitted)
            ]
        for name, value in (
            ("chance_of_exceeding_budget", self.exceeding),
            ("point_map", self.point_map),
            ("applied_map", self.applied_map),
        ):
            if value is not None:
                values[name] = value
        if self.groups is not None:
            name = "classes" if self.request.by_class else "groups"
            values[name] = [self.measure.spelled(asdict(view)) | {"drop": view.drop} for view in self.groups]
        if self.drift is not None:
            values["drift"] = self.measure.spelled(asdict(self.drift)) | {"moved": self.drift.moved()}
        if self.rematched is not None:
            values["rematched"] = self.rematched.to_dict()
        return values | {"notes": self.notes}

    def to_json(self) -> str:
        """Return the same as strict JSON; infinite thresholds are 1e999, which reads back as infinity."""
        text = json.dumps(_without_infinity(self.to_dict()), allow_nan=False)
        quoted = json.dumps(_INFINITY)
        return text.replace(quoted[:-1] + '-"', "-1e999").replace(quoted, "1e999")

    def rows(self) -> list[dict[str, float]]:
        """Return a row for each point of the frontier: what it costs and achieves, and where videos stop."""
        rows = [point.to_row() for point in self.frontier]
        for place, row in enumerate(rows):
            if self.cross_fitted is not None:
                estimate = self.measure.spelled(asdict(self.cross_fitted[place]))
                row |= self._columns("cross_fitted", estimate, self.cross_fitted_intervals(place))
            if self.applied is not None:
                point = self.applied[place]
                measured = self.measure.spelled({"cost": point.cost, "top1": point.top1})
                row |= self._columns("applied", measured, self.applied_intervals(place))
        return rows

    def to_pandas(self) -> pandas.DataFrame:
        """Return :meth:`rows` as a table."""
        import pandas

        return pandas.DataFrame(self.rows())

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw top-1 against cost: the frontier as fitted, and what is known of it on other videos."""
        from dynsearch.display.curves import Curve, plot_curves

        curves = [Curve("calibration (fitted)", *_pairs(self.frontier))]
        if self.cross_fitted is not None:
            curves.append(Curve("cross-fitted", *_pairs(self.cross_fitted)))
        if self.applied is not None:
            found = [self.applied_intervals(place) for place in range(len(self.applied))]
            band = [interval.top1 for interval in found if interval is not None]
            curves.append(Curve("applied", *_pairs(self.applied), band))
        point = None if self.point is None else (self.point.cost, self.point.top1)
        return plot_curves(curves, axes, unit=self.measure, chosen=point, budget=self.request.budget)

    @property
    def measure(self) -> CostMeasure:
        """What costs are in."""
        return self.frontier.measure

    def _ends(self, intervals: Intervals | None) -> dict[str, float]:
        return self.measure.spelled(ends(intervals))

    def _columns(
        self, kind: str, values: Mapping[str, float], intervals: Intervals | None
    ) -> dict[str, float]:
        names = self.measure.spelled(
            dict.fromkeys(("cost", "top1", "cost_low", "cost_high", "top1_low", "top1_high"))
        )
        both = dict(values) | self._ends(intervals)
        return {f"{kind}_{name}": both[name] for name in names}

    def __repr__(self) -> str:
        chosen = "no point chosen"
        if self.point is not None:
            chosen = f"chosen: top-1 {self.point.top1:.4f} at {self.measure.text(self.point.cost)}"
        noted = "".join(f"\nnote: {note}" for note in self.notes)
        return f"Calibration({len(self.frontier)} points, {self.confidence}, {chosen}){noted}"

    def _repr_html_(self) -> str:
        from dynsearch.display.notebook import page

        return page(repr(self), *self.notes, table=self.to_pandas())


def _pairs(points: Sequence[OperatingPoint | CrossFitted] | Frontier) -> tuple[list[float], list[float]]:
    return [point.cost for point in points], [point.top1 for point in points]


def ends(intervals: Intervals | None) -> dict[str, float]:
    """Return the ends of both intervals by name; nothing where there are none."""
    if intervals is None:
        return {}
    (top1_low, top1_high), (cost_low, cost_high) = intervals
    values = {"top1_low": top1_low, "top1_high": top1_high}
    return values | {"cost_low": cost_low, "cost_high": cost_high}


def _without_infinity(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_infinity(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinity(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return _INFINITY if value > 0 else _INFINITY + "-"
    return value
