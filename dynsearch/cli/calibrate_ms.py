"""Milliseconds for ``dynsearch calibrate``: by a table of times, where scores have other costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynsearch.cli import options
from dynsearch.errors import InputError
from dynsearch.frontier import Limit
from dynsearch.measures import COUNTED
from dynsearch.scores import ExitScores

if TYPE_CHECKING:
    from dynsearch.plan import Plan


def take_milliseconds(given: dict[str, Any]) -> None:
    """Replace the options of milliseconds among those given by the budget, and by what costs scores anew."""
    asked, accept = options.asked_of(given), given.pop("accept")
    plan, longest, p95 = given.pop("plan"), given.pop("max_ms"), given.pop("max_p95_ms")
    if longest is None and p95 is None:
        if asked or accept or plan:
            raise click.UsageError("--device, --batch, --runtime, --accept and --plan go with --max-ms.")
        return
    if given["budget"] is not None:
        raise click.UsageError("--max-ms and --budget are one; give one of them.")
    given["costing"] = Costing(Path(given["scores"]), plan, asked, accept, given.pop("max_gflops"), p95)
    given |= {"budget": math.inf if longest is None else longest, "max_gflops": None}


@dataclass(frozen=True)
class Costing:
    """Costs scores in milliseconds, and says what thresholds keep besides the budget; InputError where it can't."""

    path: Path
    plan_file: str | None
    asked: dict[str, Any]
    accept: bool
    max_gflops: float | None
    max_p95_ms: float | None

    def __call__(self, scores: ExitScores) -> tuple[ExitScores, Sequence[Limit]]:
        """Return the scores with their costs in milliseconds, and the limits."""
        from dynsearch.study.recipe import BEYOND_P95, p95_of
        from dynsearch.study.saved_frontiers import costed, num_classes
        from dynsearch.timing.setup import Asked
        from dynsearch.timing.tables import TableCosts

        timed = scores
        if scores.measure.name != "ms" or self.plan_file or self.asked:
            measure = TableCosts(Asked(**self.asked), accept=self.accept).measure
            timed = costed(scores, self._plan(scores), measure)
        limits = []
        if self.max_gflops is not None:
            counted = scores.measure == COUNTED
            cost_E = scores.cost_E if counted else COUNTED.cost_E(self._plan(scores), num_classes(scores))
            limits.append(Limit(COUNTED, tuple(map(float, cost_E)), self.max_gflops))
        if self.max_p95_ms is not None:
            cost_E = timed.cost_E.tolist()
            limits.append(Limit.on_share(p95_of(timed.measure), cost_E, self.max_p95_ms, BEYOND_P95))
        return replace(timed), limits

    def _plan(self, scores: ExitScores) -> Plan:
        from dynsearch.plan import Plan
        from dynsearch.plan.shipped import find_plan

        beside = self.path.parent / "plan.yaml"
        if self.plan_file is None and not beside.is_file():
            raise InputError(
                f"costs are in {scores.measure.unit}, and there is no plan.yaml beside it to tell milliseconds by",
                where=str(self.path),
                hint="Give --plan PLAN; or costs in milliseconds: --cost-unit ms",
            )
        plan = Plan.load(beside) if self.plan_file is None else find_plan(self.plan_file)
        if scores.plan_id not in ("", plan.plan_id) or len(plan.exits) != scores.num_exits:
            raise InputError(
                f"is of plan {scores.plan_id or 'unknown'} with {scores.num_exits} exits, not of {plan.plan_id} with "
                f"{len(plan.exits)}",
                where=str(self.path),
                hint="Give the scores' own --plan",
            )
        return plan
