"""What ``dynsearch cost`` shows of networks that are no grid: their parts and exits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dynsearch.cost import NetworkCost


def print_parts(table: NetworkCost, share: list[float] | None, *, as_json: bool) -> None:
    """Print the cost of every part and exit; ``share`` is how many videos leave at each exit."""
    from dynsearch.cost import average_cost
    from dynsearch.display.tables import format_table

    plan = table.plan
    average = None if share is None else average_cost(table.cost_E, share)
    exits = zip(plan.exits.exits, table.cost_E, strict=True)
    parts: list[dict[str, Any]] = [
        {
            "part": part.name,
            "gmacs": part.macs / 1e9,
            "runs": part.runs_E[-1],
            "parameters": part.parameters,
        }
        for part in table.parts
    ]
    if as_json:
        values: dict[str, Any] = {
            "plan_id": plan.plan_id,
            "parameters": table.parameters,
            "gmacs_full": table.cost_E[-1],
            "exits": [{"sets": exit_.sets, "depth": exit_.depth, "gmacs": cost} for exit_, cost in exits],
            "parts": parts,
        }
        click.echo(
            json.dumps(values | ({} if average is None else {"average": {"gmacs": average}}), indent=1)
        )
        return
    click.echo(
        f"{plan}\n{table.parameters / 1e6:.3f} million parameters\n\nGFLOPs of each part for full inference:"
    )
    click.echo(format_table(_part_rows(parts)))
    click.echo("\nGFLOPs per video at each exit:")
    click.echo(format_table(_exit_rows(table, average)))


def _part_rows(parts: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [
        {
            "part": part["part"],
            "GFLOPs once": f"{part['gmacs']:.4g}",
            "runs": str(part["runs"]),
            "GFLOPs": f"{part['gmacs'] * part['runs']:.4g}",
            "parameters": str(part["parameters"]),
        }
        for part in parts
    ]


def _exit_rows(table: NetworkCost, average: float | None) -> list[dict[str, str]]:
    plan, full = table.plan, table.cost_E[-1]
    costs = [
        (str(exit_), str(plan.frames_seen(exit_)), cost)
        for exit_, cost in zip(plan.exits.exits, table.cost_E, strict=True)
    ]
    if average is not None:
        costs.append(("average", "", average))
    return [
        {"exit": name, "frames": frames, "GFLOPs": f"{cost:.4g}", "of full": f"{100 * cost / full:.1f}%"}
        for name, frames, cost in costs
    ]
