"""``dynsearch evaluate``: dynamic inference of a bundle over a data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from dynsearch.cli import options

if TYPE_CHECKING:
    from dynsearch.export.evaluation import Evaluation
    from dynsearch.export.loaded import LoadedNetwork


@click.command(short_help="Dynamic inference of a bundle over a data set.")
@click.argument("bundle", type=options.UserPath(path_type=Path))
@click.option("--dataset", help="Data set. Default: the bundle's.")
@click.option("--split", type=click.Choice(["calibration", "test"]), default="test", show_default=True)
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True)
@options.plugins
@options.data_root
@options.allow_outside
@options.reader
@options.quiet
@options.as_json
def evaluate(
    bundle: Path,
    dataset: str | None,
    split: Literal["calibration", "test"],
    batch_size: int,
    data_root: Path | None,
    allow_outside: bool | None,
    reader: Literal["auto", "decord", "pyav"] | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run BUNDLE on a split, really stopping early, and again to the last exit.

    Shows top-1, mean cost per video and videos per second of both (reading the videos is not counted), and how
    many videos stop at each exit.
    """
    from dataclasses import asdict

    from dynsearch.data.catalogue import check_root
    from dynsearch.export import Bundle

    opened = Bundle.load(bundle)  # What is wrong with names is said before torch is imported.
    check_root(dataset or opened.recipe.dataset, data_root)

    from dynsearch.api.bars import counting
    from dynsearch.api.evaluate import evaluate as measure
    from dynsearch.export.loaded import LoadedNetwork
    from dynsearch.study.run_settings import RunSettings

    loaded = LoadedNetwork(opened)
    plan = loaded.bundle.plan
    with counting("evaluating", quiet=quiet or as_json) as progress:
        measured = measure(
            loaded,
            dataset,
            split=split,
            batch_size=batch_size,
            data_root=data_root,
            run=RunSettings(reader=reader or "auto", allow_outside=bool(allow_outside)),
            progress=progress,
            warn=lambda text: click.echo(f"dynsearch: {text}", err=True),
        )
    if as_json:
        values = measured.measure.spelled(asdict(measured))
        rates = {
            "videos_per_second": measured.num_videos / measured.seconds,
            "full_videos_per_second": measured.num_videos / measured.full_seconds,
        }
        click.echo(json.dumps({"plan_id": plan.plan_id, "split": split, **values, **rates}, indent=1))
        return
    _print(loaded, measured, split)


def _print(loaded: LoadedNetwork, measured: Evaluation, split: str) -> None:
    """Print both ways to run the network beside each other, and where videos stop."""
    from dynsearch.display.tables import format_table
    from dynsearch.scores.metrics import TITLES

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
    click.echo(f"{measured.num_videos} {split} videos\n")
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
    low, high = (100 * end for end in measured.difference)
    click.echo(
        f"\n{100 * (1 - measured.cost / measured.full_cost):.0f}% fewer {measured.measure.per_video}, "
        f"{measured.full_seconds / measured.seconds:.2f} times as fast, top-1 "
        f"{100 * (measured.top1 - measured.full_top1):+.2f} points (95% interval {low:+.1f} to {high:+.1f})\n"
    )
    shares = zip(loaded.bundle.plan.exits.exits, loaded.network.cost_E, measured.exit_share, strict=True)
    click.echo(
        format_table(
            [
                {"exit": str(exit_), unit: f"{cost:.4g}", "videos": f"{100 * share:.1f}%"}
                for exit_, cost, share in shares
            ]
        )
    )
