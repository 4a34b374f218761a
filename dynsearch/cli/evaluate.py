"""``dynsearch evaluate``: dynamic inference of a bundle over a data set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from dynsearch.cli import options
from dynsearch.cli.measuring import measured, measuring

if TYPE_CHECKING:
    from dynsearch.export.evaluation import Evaluation


@click.command(cls=options.WeightsCommand, short_help="Dynamic inference of a bundle over a data set.")
@measuring
@options.max_waiting
@click.option(
    "--split",
    type=click.Choice(["calibration", "test", "all"]),
    default="test",
    show_default=True,
    help="all: every video there, whatever splits there are.",
)
def evaluate(split: str, as_json: bool, **given: Any) -> None:
    """Run BUNDLE on a split, really stopping early, and again to the last exit.

    Shows top-1, mean cost per video and videos per second of both (reading the videos is not counted), and how
    many videos stop at each exit. A PLAN with --weights gets its thresholds on the calibration split first. With
    --max-gflops several times, a bundle of all budgets shows a row for each.
    """
    budgets: Sequence[float | None] = given.pop("max_gflops") or (None,)
    found = [
        measured("evaluate", split=split, as_json=as_json, max_gflops=budget, **given) for budget in budgets
    ]
    if as_json:
        values = [{"split": split, **_values(one)} for one in found]
        click.echo(json.dumps(values if len(values) > 1 else values[0], indent=1))
    elif len(found) > 1:
        _print_frontier(found, budgets, split)
    else:
        _print(found[0], split)


def _values(found: Evaluation) -> dict[str, Any]:
    rates = {
        "videos_per_second": found.num_videos / found.seconds,
        "full_videos_per_second": found.num_videos / found.full_seconds,
    }
    return {**found.measure.spelled(asdict(found)), **rates}


def _print_frontier(found: Sequence[Evaluation], budgets: Sequence[float | None], split: str) -> None:
    """Print a row for each budget."""
    from dynsearch.display.tables import format_table

    rows = [
        {
            "budget": f"{budget:g}",
            one.measure.unit: f"{one.cost:.4g}",
            "top-1": f"{100 * one.top1:.2f}%",
            "95% interval": " - ".join(f"{100 * end:.1f}" for end in one.interval),
            "videos/s": f"{one.num_videos / one.seconds:.1f}",
            "plan": one.plan_id,
            "exits": " ".join(one.exits),
        }
        for budget, one in zip(budgets, found, strict=True)
    ]
    click.echo(f"{found[0].num_videos} {split} videos, runtime {found[0].runtime}\n\n{format_table(rows)}")


def _print(measured: Evaluation, split: str) -> None:
    """Print both ways to run the network beside each other, and where videos stop."""
    from dynsearch.display.tables import format_table
    from dynsearch.scores.metrics import TITLES
    from dynsearch.scores.spread import groups_note

    unit = measured.measure.unit
    rows = [
        ("stopping early", measured.top1, measured.metrics, measured.cost, measured.seconds),
        (
            "full inference",
            measured.full_top1,
            measured.full_metrics,
            measured.full_cost,
            measured.full_seconds,
        ),
    ]
    groups = f" of {measured.num_groups} groups" if measured.num_groups else ""
    click.echo(f"{measured.num_videos} {split} videos{groups}, runtime {measured.runtime}\n")
    click.echo(
        format_table(
            [
                {
                    "": name,
                    "top-1": f"{100 * top1:.2f}%",
                    **{TITLES[key]: f"{100 * value:.2f}%" for key, value in further.items()},
                    unit: f"{cost:.4g}",
                    "videos/s": f"{measured.num_videos / seconds:.1f}",
                }
                for name, top1, further, cost, seconds in rows
            ]
        )
    )
    low, high = (100 * end for end in measured.interval)
    click.echo(f"\ntop-1 {100 * measured.top1:.2f}% (95% interval {low:.1f} to {high:.1f})", nl=False)
    if measured.num_groups:
        click.echo(f"; {groups_note(measured.num_videos, measured.num_groups)}", nl=False)
    low, high = (100 * end for end in measured.difference)
    click.echo(
        f"\n{100 * (1 - measured.cost / measured.full_cost):.0f}% fewer {measured.measure.per_video}, "
        f"{measured.full_seconds / measured.seconds:.2f} times as fast, top-1 "
        f"{100 * (measured.top1 - measured.full_top1):+.2f} points (95% interval {low:+.1f} to {high:+.1f})\n"
    )
    shares = zip(measured.exits, measured.exit_costs, measured.exit_share, strict=True)
    click.echo(
        format_table(
            [
                {"exit": exit_, unit: f"{cost:.4g}", "videos": f"{100 * share:.1f}%"}
                for exit_, cost, share in shares
            ]
        )
    )
