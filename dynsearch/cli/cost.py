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
@click.option(
    "--with-decoding",
    metavar="[VIDEOS]",
    is_flag=False,
    flag_value="motions",
    help="With --measure ms: also the time of reading the frames of a clip: of a video file, a folder, or a data set's "
    "test videos. Default: motions.",
)
@click.option(
    "--stream",
    is_flag=True,
    help="With --measure ms: also the time of each frame that is computed as it comes.",
)
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
    with_decoding: str | None,
    stream: bool,
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
    timed = {"accept": accept, "again": again, "with-decoding": with_decoding, "stream": stream}
    if measure != "ms" and (given := [*asked, *(name for name, value in timed.items() if value)]):
        raise click.UsageError(f"--{given[0]} is about measured time: add --measure ms.")
    if (plan_file is None) == (backbone is None):
        taken = f" --with-decoding took {with_decoding!r}; a plan comes before it." if with_decoding else ""
        raise click.UsageError(f"Give either a plan file or --backbone.{taken}")
    if accept and (with_decoding or stream):
        raise click.UsageError("--with-decoding and --stream are measured here: leave out --accept.")
    from dynsearch.plan.shipped import find_plan

    plan = _plan(str(backbone), **fields) if plan_file is None else find_plan(plan_file)

    share = _shares(exit_share) if exit_share is not None else None
    if measure != "gflops":
        from dynsearch.cli.cost_ms import print_costs

        print_costs(
            plan, measure, num_classes, share, asked, with_decoding, stream=stream, accept=accept, again=again,
            as_json=as_json,
        )  # fmt: skip
        return
    from dynsearch.families import cost_table
    from dynsearch.families.grid.cost import CostTable

    table = cost_table(plan, num_classes)
    if not isinstance(table, CostTable):
        from dynsearch.cli.cost_exits import print_parts

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
    from dynsearch.cli.cost_exits import exit_values

    plan, per_frame = table.plan, table.cost_heads_on_frames_E
    return {
        "plan_id": plan.plan_id,
        "parameters": table.parameters,
        "gmacs_full": table.cost_E[-1],
        "gmacs_full_heads_on_frames": per_frame[-1],
        **exit_values(plan, {"gmacs": table.cost_E, "gmacs_heads_on_frames": per_frame}, share),
        "frame_gmacs": list(table.frame_cost),
        "grid_gmacs": [[macs / 1e9 for macs in row.values()] for row in _cells(table)],
    }


def _cells(table: CostTable) -> list[dict[int, float]]:
    """Return for each number of sets what it takes to each depth."""
    depths, sets = range(1, len(table.stages) + 1), range(1, table.plan.num_sets + 1)
    return [{depth: table.cell_macs(count, depth) for depth in depths} for count in sets]


def _print(table: CostTable, share: list[float] | None) -> None:
    from dynsearch.cli.cost_exits import exit_table
    from dynsearch.display.tables import format_table
    from dynsearch.measures import in_units

    plan = table.plan
    click.echo(f"{plan}\n{table.parameters / 1e6:.3f} million parameters\n")
    click.echo("GFLOPs up to each grid cell, without heads:")
    grid = [
        {"sets": str(sets)} | {f"depth {depth}": f"{in_units(macs):.4g}" for depth, macs in row.items()}
        for sets, row in enumerate(_cells(table), start=1)
    ]
    click.echo(format_table(grid))
    click.echo("\nGFLOPs per video at each exit, heads included:")
    costs = {"GFLOPs": table.cost_E, "heads on every frame": table.cost_heads_on_frames_E}
    click.echo(exit_table(plan, costs, share))
