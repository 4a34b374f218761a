"""What a video may cost: GFLOPs, milliseconds, or what a user counts.

Everything that holds costs carries its measure: exit scores, networks, score grids, operating points, frontiers. Inside
the package one says *cost* and *budget*; a user reads and writes the measure's name: ``--max-gflops``, ``test_gflops``.

GFLOPs here are 10^9 multiply-accumulates per video, as in the papers of this field, in TSM and in fvcore. Tools that
count a multiply and an add apart (torch's ``FlopCounterMode``) show twice as much.

Shapes: E exits.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from dynsearch.display.words import cost_text
from dynsearch.errors import InfeasibleBudgetError, InputError, shown
from dynsearch.registry import Registry

if TYPE_CHECKING:
    from dynsearch.plan import Plan

Value = TypeVar("Value")
MACS_PER_UNIT = 10**9
"""Multiply-accumulates in a unit of the measure that counts them."""


@dataclass(frozen=True)
class CostMeasure:
    """A way to say what a video costs. Two are the same if they have one name.

    Args:
        name: Short, of letters, digits and _, for instance ``ms``. The budget is ``max_ms``, a column ``test_ms``.
        unit: What stands behind a number, for instance ``GFLOPs``.
        meaning: One unit in other words; may be empty.
        costs: From a plan and the number of classes to the cumulative costs per video at each of its exits: positive,
            none below the one before. None where plans can't be costed, and scores must bring their costs. A text,
            ``module:function``, is imported when it is called.

    Raises:
        InputError: The name is not of that form.
    """

    name: str
    unit: str = field(default="", compare=False)
    meaning: str = field(default="", compare=False, repr=False)
    costs: Callable[[Plan, int], Sequence[float]] | str | None = field(
        default=None, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,31}", self.name):
            raise InputError(
                f"{shown(self.name)} is no name of a cost measure",
                hint="Write letters, digits and _, as in ms",
            )
        object.__setattr__(self, "unit", self.unit or self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        own = self.costs if is_dataclass(self.costs) else None
        return measure_called, (self.name, self.unit, own)

    def cost_E(self, plan: Plan, num_classes: int) -> tuple[float, ...]:
        """Return the cumulative cost per video at each exit of a plan's network.

        Raises:
            InputError: The measure can't say, or what it says are no costs.
        """
        if self.costs is None:
            raise InputError(
                f"what a plan costs in {self.unit} is not known",
                where=self.name,
                hint="Search with a measure that counts plans; scores may bring their own costs in any unit",
            )
        function = self.costs
        if isinstance(function, str):
            module, _, name = function.partition(":")
            function = getattr(importlib.import_module(module), name)
        cost_E = tuple(map(float, function(plan, num_classes)))
        steps = [after - before for before, after in zip((0.0, *cost_E), cost_E, strict=False)]
        if (
            len(cost_E) != len(plan.exits)
            or not all(map(math.isfinite, cost_E))
            or steps[0] <= 0
            or min(steps) < 0
        ):
            raise InputError(
                f"gave the costs {list(cost_E)} for a plan of {len(plan.exits)} exits",
                where=f"cost measure {self.name}",
                hint="Give one for each exit, positive and none below the one before",
            )
        return cost_E

    @property
    def array(self) -> str:
        """The name of the costs in files of exit scores."""
        return "gmacs" if self.name == "gflops" else "cost"

    @property
    def budget_name(self) -> str:
        """How a budget is called in recipes, for instance ``max_ms``."""
        return f"max_{self.name}"

    @property
    def option(self) -> str:
        """How commands take a budget."""
        return "--max-gflops" if self.name == "gflops" else "--budget"

    @property
    def per_video(self) -> str:
        """The unit in full, for texts."""
        return f"{self.unit} per video"

    @property
    def in_full(self) -> str:
        """The same, with what the unit means."""
        return f"{self.unit} ({self.meaning}) per video" if self.meaning else self.per_video

    @property
    def axis(self) -> str:
        """The label of an axis."""
        meaning = self.meaning.replace("^9", "\N{SUPERSCRIPT NINE}")
        return f"{self.per_video} ({meaning})" if meaning else self.per_video

    def text(self, cost: float) -> str:
        """Return a cost with its unit."""
        return f"{cost_text(cost)} {self.unit}"

    def spelled(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return values by name as a user reads them: ``test_cost`` is ``test_ms``, ``budget`` is ``max_ms``."""
        names = {"budget": self.budget_name}
        return {
            names.get(name, re.sub(r"(^|_)cost(?=$|_low$|_high$)", rf"\1{self.name}", name)): value
            for name, value in values.items()
            if name != "measure"
        }

    def too_low(self, budget: float, cheapest: float, dearest: float | None = None) -> InfeasibleBudgetError:
        """Return the error of a budget below the cheapest cost there is; the dearest is said where it is known."""
        return InfeasibleBudgetError(budget, cheapest, dearest, name=self.budget_name, unit=self.per_video)

    def one_budget(self, budget: float | None, **spelled: float | None) -> float | None:
        """Return the budget that is given, as it is or spelled by its measure (``max_ms=25``); None where none is.

        Raises:
            InputError: Several are given, or one in another measure.
        """
        found = {name: value for name, value in spelled.items() if value is not None}
        given = [f"{name}={value:g}" for name, value in found.items()]
        if len(given) + (budget is not None) > 1:
            given += [] if budget is None else [f"budget={budget:g}"]
            raise InputError(f"{' and '.join(given)} are one", hint="Give one of them")
        for name, value in found.items():
            return self.only(name.removeprefix("max_"), value)
        return budget

    def only(self, name: str, value: Value) -> Value:
        """Return ``value``, which is spelled in the measure called ``name``; InputError if that is not this one."""
        if name != self.name:
            raise InputError(
                f"costs here are in {self.unit}, not in {name}",
                hint="Read cost, and give budget, --budget or --max-ms, instead",
            )
        return value


class Measured(Protocol):
    """What carries its measure."""

    @property
    def measure(self) -> CostMeasure:
        """The measure of its costs."""


def one_measure(things: Iterable[Measured]) -> CostMeasure:
    """Return the measure that all of some things, one at least, have; InputError where they have several."""
    names: dict[str, CostMeasure] = {thing.measure.name: thing.measure for thing in things}
    if len(names) > 1:
        raise InputError(
            f"costs in {' and in '.join(measure.unit for measure in names.values())} can't be compared",
            hint="Take scores and points of one measure",
        )
    return next(iter(names.values()))


def measure_called(name: str, unit: str = "", costs: Any = None) -> CostMeasure:
    """Return the measure of that name; one that is not registered is a bare unit, in which scores bring their costs.

    ``costs`` stand for its own.
    """
    measure = COST_MEASURES[name] if name in COST_MEASURES else CostMeasure(name, unit)
    return measure if costs is None else replace(measure, costs=costs)


def in_units(macs: float) -> float:
    """Return multiply-accumulates in the unit of the measure that counts them."""
    return macs / MACS_PER_UNIT


COUNTED = CostMeasure(
    "gflops",
    "GFLOPs",
    "10^9 multiply-accumulates",
    costs="dynsearch.families.build:counted_costs",
)
"""Multiply-accumulates, counted on the network itself. What is meant where nothing is said."""
COST_MEASURES: Registry[CostMeasure] = Registry(
    "cost measure",
    {
        "gflops": COUNTED,
        "ms": CostMeasure("ms", meaning="milliseconds", costs="dynsearch.timing.tables:measured_costs"),
    },
)
"""Measures by name: those that ship, and a user's own."""
