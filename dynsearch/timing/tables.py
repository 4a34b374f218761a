"""The tables that were measured: kept under the data home, found again, and carried by what they decided."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dynsearch.data.home import home
from dynsearch.errors import InputError
from dynsearch.measures import COST_MEASURES, CostMeasure
from dynsearch.plan import Plan
from dynsearch.timing.setup import Asked, Setup
from dynsearch.timing.table import TimeTable, described

TABLES = "time-tables"
"""Where they lie: in the data home, in a study's folder, in a bundle."""


def tables_in(folder: Path) -> list[TimeTable]:
    """Return the tables in a folder, by name; InputError where a file is none."""
    return [TimeTable.load(path) for path in sorted(folder.glob("*.json"))]


ANYTHING = Asked()
COSTS = "dynsearch.timing.tables:measured_costs"
"""The costs of the measure that ships."""


@dataclass(frozen=True)
class TableCosts:
    """Costs of plans in measured milliseconds: the costs of a measure.

    Attributes:
        asked: On what the time is to be of.
        own: A folder in that of a study or a bundle, whose tables decide whatever machine this is; those that are
            taken from elsewhere are kept there. None where there is none.
        accept: Take a table of another device, dtype or number of threads than there is here.
        tell: Measure what is lacking, and tell how it goes. None refuses it.
    """

    asked: Asked = ANYTHING
    own: Path | None = None
    accept: bool = False
    tell: Callable[[str], None] | None = None

    def __call__(self, plan: Plan, num_classes: int) -> list[float]:
        """Return the cumulative milliseconds per video at each exit of a plan.

        Raises:
            InputError: There is no table for it.
        """
        return self.table(plan).cost_E(plan, num_classes)

    def __reduce__(self) -> tuple[Any, ...]:
        return TableCosts, (self.asked, self.own, self.accept)

    def table(self, plan: Plan) -> TimeTable:
        """Return the table that a plan is costed with; InputError where there is none."""
        key = (self.asked, self.own, self.accept, *map(str, described(plan).items()))
        table = _FOUND.get(key)
        if table is None or table.max_frames < plan.num_frames:
            _FOUND[key] = table = self._looked_up(plan)
        return table

    def _looked_up(self, plan: Plan) -> TimeTable:
        own = [] if self.own is None else _fitting(self.own, plan, self.asked)
        if own:
            return own[0]
        here = Setup.here(self.asked, elsewhere=self.accept)
        there = _fitting(home() / TABLES, plan, self.asked)
        there = [table for table in there if table.setup.device == here.device]
        there.sort(key=lambda table: len(table.setup.other_than(here)))
        others = there[0].setup.other_than(here) if there else []
        if there and (self.accept or not others):
            table = there[0]
        elif self.tell is not None:
            table = self.measured(plan)
        else:
            raise self._lacking(plan, here, others)
        if self.own is not None:
            table.save(self.own)
        return table

    def measured(self, plan: Plan) -> TimeTable:
        """Return the table of a plan's network, measured now, and keep it under the data home."""
        from dynsearch.timing.measure import measured

        return keep(measured(plan, self.asked, self.tell or (lambda text: None)))

    @property
    def measure(self) -> CostMeasure:
        """Milliseconds, by these costs."""
        return replace(COST_MEASURES["ms"], costs=self)

    def _lacking(self, plan: Plan, here: Setup, others: Sequence[str]) -> InputError:
        """Return the error that no table fits, with what to do."""
        ways = [f"--device {self.asked.device}"] * bool(self.asked.device)
        ways += [f"--batch {self.asked.batch}"] * (self.asked.batch > 1)
        ways += [f"--runtime {self.asked.runtime}"] * (self.asked.runtime != "auto")
        again = " ".join(["dynsearch cost PLAN --measure ms", *ways])
        of = f"{plan.backbone} ({plan.num_frames} frames of {plan.image_size} pixels)"
        if others:
            return InputError(
                f"the table of times of {of} is of another machine: {'; '.join(others)}",
                where="ms",
                hint=f"Measure again: {again}, with the plan, or give --accept",
            )
        return InputError(
            f"there is no table of times of {of} on {here}",
            where="ms",
            hint=f"Measure it: {again}; plan.yaml in a trial's folder is a plan",
        )


_FOUND: dict[object, TimeTable] = {}
"""Tables that were found in this process."""


def keep(table: TimeTable) -> TimeTable:
    """Write a table under the data home, and return it."""
    table.save(home() / TABLES)
    _FOUND.clear()
    return table


def _fitting(folder: Path, plan: Plan, asked: Asked) -> list[TimeTable]:
    """Return the tables of a plan's network, for enough frames, and of what is asked for as far as that is said."""
    of = described(plan)
    return [
        table
        for table in tables_in(folder)
        if table.of == of
        and table.max_frames >= plan.num_frames
        and table.setup.batch == asked.batch
        and asked.runtime in ("auto", table.setup.runtime)
    ]


def measured_costs(plan: Plan, num_classes: int) -> list[float]:
    """Return the milliseconds at each exit of a plan as measured here, one video at a time."""
    return TableCosts()(plan, num_classes)


def any_tables() -> bool:
    """Return whether there is a table under the data home that may be read."""
    with contextlib.suppress(OSError):
        return any((home() / TABLES).glob("*.json"))
    return False


def timed(measure: CostMeasure, asked: Any) -> CostMeasure:
    """Return the measure; if it is that of milliseconds, on what is asked for, as far as that makes sense."""
    if measure.costs != COSTS:
        return measure
    try:
        return TableCosts(ANYTHING if asked is None else Asked.model_validate(asked)).measure
    except ValidationError:  # The field itself is refused.
        return measure
