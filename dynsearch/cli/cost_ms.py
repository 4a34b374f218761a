"""What ``dynsearch cost`` shows of other measures than counted operations: measured time, or a user's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from dynsearch.display.tables import format_table

if TYPE_CHECKING:
    from dynsearch.plan import Plan
    from dynsearch.timing.table import TimeTable


def print_costs(
    plan: Plan,
    name: str,
    num_classes: int,
    share: list[float] | None,
    asked: Mapping[str, Any],
    *,
    accept: bool,
    again: bool,
    as_json: bool,
) -> None:
    """Print what each exit of a plan costs in the measure of that name; ``share`` is how many videos leave there."""
    from dynsearch.cost import average_cost
    from dynsearch.measures import COST_MEASURES
    from dynsearch.timing.setup import Asked
    from dynsearch.timing.tables import TableCosts

    measure, table = COST_MEASURES[name], None
    if name == "ms":
        tell = lambda text: click.echo(text, err=True)  # noqa: E731
        costs = TableCosts(Asked(**asked), accept=accept, tell=tell)
        table, measure = (costs.measured(plan) if again else costs.table(plan)), costs.measure
    cost_E = measure.cost_E(plan, num_classes)
    average = None if share is None else average_cost(cost_E, share)
    exits = list(zip(plan.exits.exits, cost_E, strict=True))
    if as_json:
        values: dict[str, Any] = {
            "plan_id": plan.plan_id,
            f"{name}_full": cost_E[-1],
            "exits": [{"sets": exit_.sets, "depth": exit_.depth, name: cost} for exit_, cost in exits],
        }
        values |= {} if average is None else {"average": {name: average}}
        click.echo(json.dumps(values | ({} if table is None else {"table": table.resolved()}), indent=1))
        return
    click.echo(f"{plan}\n")
    if table is not None:
        _print_table(table)
    click.echo(f"\n{measure.per_video} at each exit:")
    rows = [(str(exit_), cost) for exit_, cost in exits] + ([] if average is None else [("average", average)])
    click.echo(
        format_table(
            [
                {"exit": exit_, measure.unit: f"{cost:.4g}", "of full": f"{100 * cost / cost_E[-1]:.1f}%"}
                for exit_, cost in rows
            ]
        )
    )


def _print_table(table: TimeTable) -> None:
    click.echo(f"Measured {table.date} on {table.setup}, spread {100 * table.spread:.0f}%.")
    if not table.stages:
        return
    click.echo(
        "ms per video of each stage on so many frames at once, median (95th percentile with an exit there):"
    )
    rows = [
        {"stage": str(stage)}
        | {str(n): f"{ms:.4g} ({p95:.4g})" for n, ms, p95 in zip(table.frames, own, late, strict=True)}
        for stage, (own, late) in enumerate(zip(table.stages, table.p95, strict=True), start=1)
    ]
    click.echo(format_table(rows))


def list_tables(*, as_json: bool) -> None:
    """Print which tables of measured times there are."""
    from dynsearch.data.home import home
    from dynsearch.timing.tables import TABLES, tables_in

    folder = home() / TABLES
    found = tables_in(folder)
    if as_json:
        click.echo(
            json.dumps([{"file": str(folder / table.file_name), **table.resolved()} for table in found])
        )
    elif not found:
        click.echo(f"no tables in {folder}; measure one: dynsearch cost --backbone NAME --measure ms")
    else:
        rows = [
            {
                "backbone": table.backbone,
                "pixels": str(table.of.get("image_size", "")),
                "frames": str(table.max_frames),
                "on": str(table.setup),
                "measured": table.date[:10],
                "spread": f"{100 * table.spread:.0f}%",
                "file": table.file_name,
            }
            for table in found
        ]
        click.echo(f"{folder}:\n{format_table(rows)}")
