"""``dynsearch cost``: what a plan's network costs, without training it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from dynsearch.cli import options

if TYPE_CHECKING:
    from dynsearch.families.grid.cost import CostTable
    from dynsearch.plan import Plan


@click.command(
    short_help="Show what every grid cell and exit costs.",
    epilog="Examples: dynsearch cost --backbone resnet50 --num-frames 8 --exits '2x3 4x4 8x5'; "
    "dynsearch cost joint-msdnet38 --num-classes 1000 --exit-share '1993 2392 2871 3445 4134 4961'",
)
@click.argument("plan_file", required=False, metavar="[PLAN]")
@click.option("--backbone", help="A timm model, instead of a plan file.")
@click.option("--num-frames", type=click.IntRange(min=1), default=8, show_default=True)
@click.option("--num-sets", type=click.IntRange(min=1), help="Frame sets. Default: one per frame.")
@click.option("--image-size", type=click.IntRange(min=1), default=224, show_default=True)
@click.option("--stages", type=click.IntRange(min=1), help="Depth stages. Default: the backbone's own.")
@click.option("--exits", help="Exits as SETSxDEPTH, separated by spaces. Default: the last cell only.")
@click.option("--head", default="linear", show_default=True, help="Kind of the exit heads.")
@click.option("--num-classes", type=click.IntRange(min=1), default=400, show_default=True)
@click.option(
    "--exit-share", help="How many videos leave at each exit, separated by spaces: adds the average."
)
@click.option(
    "--measure", default="gflops", show_default=True, help="What costs are in: gflops, ms, or your own."
)
@click.option("--again", is_flag=True, help="With --measure ms: measure, though there is a table.")
@click.option("--tables", is_flag=True, help="List the tables of measured times.")
@options.timing
@options.plugins
@options.as_json
def cost(
    plan_file: str | None,
    backbone: str | None,
    num_classes: int,
    exit_share: str | None,
    measure: str,
    again: bool,
    tables: bool,
    accept: bool,
    as_json: bool,
    **fields: Any,
) -> None:
    """Show what every grid cell and exit of a plan, or of a backbone, costs.

    PLAN is a YAML file or the name of one of the papers' plans, for instance joint-resnet50. GFLOPs are 10^9
    multiply-accumulates per video, counted on the real network; of a grid network at exits twice: with each head
    run once on the averaged features, as this program does, and with heads run on every frame, as the paper counts.

    --measure ms: milliseconds, by a table of the backbone that is measured once on a device and then kept.
    """
    asked = options.asked_of(fields)
    if tables:
        from dynsearch.cli.cost_ms import list_tables

        list_tables(as_json=as_json)
        return
    if measure != "ms" and (
        given := [*asked, *(["accept"] if accept else []), *(["again"] if again else [])]
    ):
        raise click.UsageError(f"--{given[0]} is about measured time: add --measure ms.")
    if (plan_file is None) == (backbone is None):
        raise click.UsageError("Give either a plan file or --backbone.")
    from dynsearch.plan.shipped import find_plan

    plan = _plan(str(backbone), **fields) if plan_file is None else find_plan(plan_file)

    share = _shares(exit_share) if exit_share is not None else None
    if measure != "gflops":
        from dynsearch.cli.cost_ms import print_costs

        print_costs(plan, measure, num_classes, share, asked, accept=accept, again=again, as_json=as_json)
        return
    from dynsearch.families import cost_table
    from dynsearch.families.grid.cost import CostTable

    table = cost_table(plan, num_classes)
    if not isinstance(table, CostTable):
        from dynsearch.cli.cost_parts import print_parts

        print_parts(table, share, as_json=as_json)
        return
    if as_json:
        click.echo(json.dumps(_as_dict(table, share), indent=1))
    else:
        _print(table, share)


def _plan(
    backbone: str,
    *,
    num_frames: int,
    num_sets: int | None,
    image_size: int,
    stages: int | None,
    exits: str | None,
    head: str,
) -> Plan:
    from dynsearch.cost.backbone import backbone_cost
    from dynsearch.plan import ExitPlacement, FrameOrder, Plan

    num_sets = num_sets or num_frames
    depth = len(backbone_cost(backbone, image_size, stages).stages)
    placement = ExitPlacement.of(*(exits.split() if exits else [f"{num_sets}x{depth}"]))
    order = FrameOrder.named("sequential", num_sets)
    return Plan(backbone, num_frames, order, placement, image_size=image_size, stages=stages, head=head)


def _shares(text: str) -> list[float]:
    try:
        return [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        raise click.BadParameter(
            f"must be numbers separated by spaces, got {text!r}", param_hint="--exit-share"
        ) from None


def _as_dict(table: CostTable, share: list[float] | None) -> dict[str, Any]:
    plan = table.plan
    per_frame = table.cost_heads_on_frames_E
    exits = [
        {"sets": exit_.sets, "depth": exit_.depth, "gmacs": cost, "gmacs_heads_on_frames": on_frames}
        for exit_, cost, on_frames in zip(plan.exits.exits, table.cost_E, per_frame, strict=True)
    ]
    average = {} if share is None else {"average": _averages(table, share)}
    return {
        "plan_id": plan.plan_id,
        "parameters": table.parameters,
        "gmacs_full": table.cost_E[-1],
        "gmacs_full_heads_on_frames": per_frame[-1],
        "exits": exits,
        **average,
        "frame_gmacs": list(table.frame_cost),
        "grid_gmacs": [[table.cell_macs(i, j) / 1e9 for j in _depths(table)] for i in _sets(table)],
    }


def _averages(table: CostTable, share: list[float]) -> dict[str, float]:
    from dynsearch.cost import average_cost

    return {
        "gmacs": average_cost(table.cost_E, share),
        "gmacs_heads_on_frames": average_cost(table.cost_heads_on_frames_E, share),
    }


def _depths(table: CostTable) -> range:
    return range(1, len(table.stages) + 1)


def _sets(table: CostTable) -> range:
    return range(1, table.plan.num_sets + 1)


def _print(table: CostTable, share: list[float] | None) -> None:
    from dynsearch.display.tables import format_table
    from dynsearch.measures import in_units

    plan = table.plan
    click.echo(f"{plan}\n{table.parameters / 1e6:.3f} million parameters\n")
    click.echo("GFLOPs up to each grid cell, without heads:")
    grid = [
        {"sets": str(sets)}
        | {f"depth {depth}": f"{in_units(table.cell_macs(sets, depth)):.4g}" for depth in _depths(table)}
        for sets in _sets(table)
    ]
    click.echo(format_table(grid))
    click.echo("\nGFLOPs per video at each exit, heads included:")
    click.echo(format_table(_exit_rows(table, share)))


def _exit_rows(table: CostTable, share: list[float] | None) -> list[dict[str, str]]:
    plan, full = table.plan, table.cost_E[-1]
    rows = [
        {
            "exit": str(exit_),
            "frames": str(plan.frames_seen(exit_)),
            "GFLOPs": f"{cost:.4g}",
            "of full": f"{100 * cost / full:.1f}%",
            "heads on every frame": f"{on_frames:.4g}",
        }
        for exit_, cost, on_frames in zip(
            plan.exits.exits, table.cost_E, table.cost_heads_on_frames_E, strict=True
        )
    ]
    if share is not None:
        mean = _averages(table, share)
        for row, part in zip(rows, share, strict=True):
            row["share"] = f"{100 * part / sum(share):.1f}%"
        rows.append(
            {
                "exit": "average",
                "frames": "",
                "GFLOPs": f"{mean['gmacs']:.4g}",
                "of full": f"{100 * mean['gmacs'] / full:.1f}%",
                "heads on every frame": f"{mean['gmacs_heads_on_frames']:.4g}",
                "share": "",
            }
        )
    return rows
