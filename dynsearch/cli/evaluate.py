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
    from dynsearch.export.latency import Latency


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
    --max-gflops, or --max-ms, several times, a bundle of all budgets shows a row for each. Of a budget in milliseconds
    it measures too what videos take, as many at a time as the budget is of.
    """
    named = [(name, budget) for name in ("max_gflops", "max_ms") for budget in given.pop(name)]
    found = [
        measured("evaluate", split=split, as_json=as_json, **given, **budget)
        for budget in ([{name: value} for name, value in named] or [{}])
    ]
    if as_json:
        values = [{"split": split, **_values(one)} for one in found]
        click.echo(json.dumps(values if len(values) > 1 else values[0], indent=1))
    elif len(found) > 1:
        _print_frontier(found, [budget for _, budget in named], split)
    else:
        _print(found[0], split)


def _values(found: Evaluation) -> dict[str, Any]:
    rates = {
        "videos_per_second": found.num_videos / found.seconds,
        "full_videos_per_second": found.num_videos / found.full_seconds,
    }
    return {**found.measure.spelled(asdict(found)), **rates}


def _print_frontier(found: Sequence[Evaluation], budgets: Sequence[float], split: str) -> None:
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

    unit, as_dict = measured.measure.unit, asdict(measured)
    groups = f" of {measured.num_groups} groups" if measured.num_groups else ""
    click.echo(f"{measured.num_videos} {split} videos{groups}, runtime {measured.runtime}\n")
    rows = [
        {"": name, "top-1": f"{100 * as_dict[f'{of}top1']:.2f}%",
         **{TITLES[key]: f"{100 * value:.2f}%" for key, value in as_dict[f"{of}metrics"].items()},
         unit: f"{as_dict[f'{of}cost']:.4g}", "videos/s": f"{measured.num_videos / as_dict[f'{of}seconds']:.1f}"}
        for name, of in (("stopping early", ""), ("full inference", "full_"))
    ]  # fmt: skip
    click.echo(format_table(rows))
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
    rows = [
        {"exit": exit_, unit: f"{cost:.4g}", "videos": f"{100 * share:.1f}%"} for exit_, cost, share in shares
    ]
    click.echo(format_table(rows))
    if measured.latency:
        _print_latency(measured.latency)


_ROWS = {
    "measured": "measured",
    "table": "by the table, of these videos",
    "promised": "promised, of the bundle's own test videos",
}


def _print_latency(latency: Latency) -> None:
    """Print what videos took, beside what was promised."""
    from dynsearch.display.tables import format_table

    click.echo(f"\nms per video, {latency.num_videos} videos on {latency.on}:")
    rows = [
        {"": _ROWS[name]} | {key: f"{ms:.4g}" for key, ms in values.items()}
        for name, values in latency.rows.items()
    ]
    click.echo(format_table(rows))
    other = "" if latency.on == latency.table_on else f"; the table is of {latency.table_on}"
    asked = ", ".join(f"{name}={value:g}" for name, value in latency.budgets.items())
    click.echo(f"asked for: {asked}{other}")
