"""What ``dynsearch cost`` shows of exits, whatever costs are in: as values for programs, and as a table."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from dynsearch.cost import NetworkCost, average_cost
from dynsearch.display.tables import format_table
from dynsearch.plan import Plan


def exit_values(
    plan: Plan, costs: Mapping[str, Sequence[float]], share: Sequence[float] | None
) -> dict[str, Any]:
    """Return what each exit costs, by name of the costs; and the average, where ``share`` of videos leave there."""
    exits = [
        {"sets": exit_.sets, "depth": exit_.depth, **{name: cost_E[k] for name, cost_E in costs.items()}}
        for k, exit_ in enumerate(plan.exits.exits)
    ]
    if share is None:
        return {"exits": exits}
    return {"exits": exits, "average": {name: average_cost(cost_E, share) for name, cost_E in costs.items()}}


def exit_table(plan: Plan, costs: Mapping[str, Sequence[float]], share: Sequence[float] | None) -> str:
    """Return the same as text, by title; of the first costs also what share of the last exit's it is."""
    means = {} if share is None else {name: average_cost(cost_E, share) for name, cost_E in costs.items()}
    (title, first_E), *others = costs.items()
    rows = []
    for k, exit_ in enumerate(plan.exits.exits):
        row = {"exit": str(exit_), "frames": str(plan.frames_seen(exit_)), title: f"{first_E[k]:.4g}"}
        row |= {"of full": f"{100 * first_E[k] / first_E[-1]:.1f}%"}
        row |= {name: f"{cost_E[k]:.4g}" for name, cost_E in others}
        rows.append(row | ({} if share is None else {"share": f"{100 * share[k] / sum(share):.1f}%"}))
    if means:
        blank = dict.fromkeys(rows[0], "")
        rows.append(blank | {"exit": "average"} | {name: f"{mean:.4g}" for name, mean in means.items()})
    return format_table(rows)


def print_parts(table: NetworkCost, share: list[float] | None, *, as_json: bool) -> None:
    """Print what parts and exits cost of a network that is no grid; ``share`` is how many videos leave at each exit."""
    plan, costs = table.plan, {"gmacs": table.cost_E}
    parts = [
        {"part": part.name, "gmacs": part.macs / 1e9, "runs": part.runs_E[-1], "parameters": part.parameters}
        for part in table.parts
    ]
    if as_json:
        values = {"plan_id": plan.plan_id, "parameters": table.parameters, "gmacs_full": table.cost_E[-1]}
        click.echo(json.dumps({**values, **exit_values(plan, costs, share), "parts": parts}, indent=1))
        return
    click.echo(
        f"{plan}\n{table.parameters / 1e6:.3f} million parameters\n\nGFLOPs of each part for full inference:"
    )
    rows = [
        {"part": part.name, "GFLOPs once": f"{part.macs / 1e9:.4g}", "runs": str(part.runs_E[-1]),
         "GFLOPs": f"{part.macs / 1e9 * part.runs_E[-1]:.4g}", "parameters": str(part.parameters)}
        for part in table.parts
    ]  # fmt: skip
    click.echo(f"{format_table(rows)}\n\nGFLOPs per video at each exit:")
    click.echo(exit_table(plan, {"GFLOPs": table.cost_E}, share))
