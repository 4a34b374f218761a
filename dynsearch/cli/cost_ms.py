"""What ``dynsearch cost`` shows of other measures than counted operations: measured time, or a user's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from dynsearch.display.tables import format_table

if TYPE_CHECKING:
    from dynsearch.plan import Plan
    from dynsearch.timing.table import Besides, TimeTable


def print_costs(
    plan: Plan,
    name: str,
    num_classes: int,
    share: list[float] | None,
    asked: Mapping[str, Any],
    videos: str | None,
    *,
    stream: bool,
    accept: bool,
    again: bool,
    as_json: bool,
) -> None:
    """Print what each exit of a plan costs in the measure of that name; ``share`` is how many videos leave there.

    Also what reading ``videos`` takes, and what frames take that are computed as they come.
    """
    from dynsearch.cli.cost_exits import exit_table, exit_values
    from dynsearch.measures import COST_MEASURES
    from dynsearch.timing.besides import videos_of, with_besides
    from dynsearch.timing.setup import Asked
    from dynsearch.timing.tables import TableCosts

    measure, table = COST_MEASURES[name], None
    besides: dict[str, Besides] = {}
    if name == "ms":
        tell = lambda text: click.echo(text, err=True)  # noqa: E731
        costs = TableCosts(Asked(**asked), accept=accept, tell=tell)
        if videos:
            videos_of(videos)  # A wrong name is said before a minute of measuring.
        table, measure = (costs.measured(plan) if again else costs.table(plan)), costs.measure
        if videos or stream:
            table, besides = with_besides(table, plan, costs, num_classes, videos, stream=stream, again=again)
    cost_E = measure.cost_E(plan, num_classes)
    if as_json:
        values = {
            "plan_id": plan.plan_id,
            f"{name}_full": cost_E[-1],
            **exit_values(plan, {name: cost_E}, share),
        }
        values |= {key: found.model_dump(exclude_defaults=True) for key, found in besides.items()}
        click.echo(json.dumps(values | ({"table": table.resolved()} if table else {}), indent=1))
        return
    click.echo(f"{plan}\n")
    if table is not None:
        _print_table(table)
    click.echo(f"\n{measure.per_video} at each exit:")
    click.echo(exit_table(plan, {measure.unit: cost_E}, share))
    if read := besides.get("decoding"):
        click.echo(
            f"\nReading and decoding {plan.num_frames} frames, which is not in it: {read.ms[0]:.4g} ms (95th "
            f"percentile {read.p95[0]:.4g}); {read.videos} videos of {videos}"
        )
    if frames := besides.get("stream"):
        ms, first = frames.ms, frames.first_answer
        click.echo(
            f"\nFrames computed as they come: {sum(ms) / len(ms):.4g} ms a frame, the longest {max(ms):.4g} (95th "
            f"percentile {max(frames.p95):.4g}).\nThe first answer is there with frame {first} of {len(ms)}, "
            f"{ms[first - 1]:.4g} ms after it came; {sum(ms[:first]):.4g} ms of work in all."
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
