"""``dynsearch cost``: what a plan's network costs, without training it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from dynsearch.cli import options

if TYPE_CHECKING:
    from dynsearch.cost import CostTable
    from dynsearch.plan import Plan


@click.command(
    short_help="Show what every grid cell and exit costs.",
    epilog="Example: dynsearch cost --backbone resnet50 --num-frames 8 --exits '2x3 4x4 8x5'",
)
@click.argument("plan_file", required=False, metavar="[PLAN.yaml]")
@click.option("--backbone", help="A timm model, instead of a plan file.")
@click.option("--num-frames", type=click.IntRange(min=1), default=8, show_default=True)
@click.option("--num-sets", type=click.IntRange(min=1), help="Frame sets. Default: one per frame.")
@click.option("--image-size", type=click.IntRange(min=1), default=224, show_default=True)
@click.option("--exits", help="Exits as SETSxDEPTH, separated by spaces. Default: the last cell only.")
@click.option("--num-classes", type=click.IntRange(min=1), default=400, show_default=True)
@options.as_json
def cost(plan_file: str | None, backbone: str | None, num_classes: int, as_json: bool, **fields: Any) -> None:
    """Show what every grid cell and exit of PLAN.yaml, or of a backbone, costs.

    GFLOPs are 10^9 multiply-accumulates per video, counted on the real network.
    """
    if (plan_file is None) == (backbone is None):
        raise click.UsageError("Give either a plan file or --backbone.")
    from dynsearch.plan import Plan

    plan = Plan.load(plan_file) if plan_file is not None else _plan(str(backbone), **fields)

    from dynsearch.cost import cost_table

    table = cost_table(plan, num_classes)
    if as_json:
        click.echo(json.dumps(_as_dict(table), indent=1))
    else:
        _print(table)


def _plan(
    backbone: str, *, num_frames: int, num_sets: int | None, image_size: int, exits: str | None
) -> Plan:
    from dynsearch.cost.table import backbone_cost
    from dynsearch.plan import ExitPlacement, FrameOrder, Plan

    num_sets = num_sets or num_frames
    depth = len(backbone_cost(backbone, image_size).stages)
    placement = ExitPlacement.of(*(exits.split() if exits else [f"{num_sets}x{depth}"]))
    order = FrameOrder.named("sequential", num_sets)
    return Plan(backbone, num_frames, order, placement, image_size=image_size)


def _as_dict(table: CostTable) -> dict[str, Any]:
    plan = table.plan
    exits = [
        {"sets": exit_.sets, "depth": exit_.depth, "gmacs": gmacs}
        for exit_, gmacs in zip(plan.exits.exits, table.gmacs_E, strict=True)
    ]
    return {
        "plan_id": plan.plan_id,
        "parameters": table.parameters,
        "gmacs_full": table.gmacs_E[-1],
        "exits": exits,
        "frame_gmacs": list(table.frame_gmacs),
        "grid_gmacs": [[table.cell_macs(i, j) / 1e9 for j in _depths(table)] for i in _sets(table)],
    }


def _depths(table: CostTable) -> range:
    return range(1, len(table.stages) + 1)


def _sets(table: CostTable) -> range:
    return range(1, table.plan.num_sets + 1)


def _print(table: CostTable) -> None:
    from dynsearch.report.tables import format_table
    from dynsearch.units import to_gflops

    plan = table.plan
    click.echo(f"{plan}\n{table.parameters / 1e6:.3f} million parameters\n")
    click.echo("GFLOPs up to each grid cell, without heads:")
    grid = [
        {"sets": str(sets)}
        | {f"depth {depth}": f"{to_gflops(table.cell_macs(sets, depth)):.4g}" for depth in _depths(table)}
        for sets in _sets(table)
    ]
    click.echo(format_table(grid))
    click.echo("\nGFLOPs per video at each exit, heads included:")
    full = table.gmacs_E[-1]
    click.echo(
        format_table(
            [
                {
                    "exit": str(exit_),
                    "frames": str(plan.frames_seen(exit_)),
                    "GFLOPs": f"{gmacs:.4g}",
                    "of full": f"{100 * gmacs / full:.1f}%",
                }
                for exit_, gmacs in zip(plan.exits.exits, table.gmacs_E, strict=True)
            ]
        )
    )
