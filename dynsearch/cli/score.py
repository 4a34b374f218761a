"""``dynsearch score``: exit scores of a trained network, without training it."""

import json
from pathlib import Path
from typing import Any

import click

from dynsearch.cli import options
from dynsearch.cli.measuring import measured, measuring


@click.command(
    cls=options.WeightsCommand,
    short_help="Measure every exit of a trained network on a data set.",
    epilog="Then: dynsearch calibrate OUTPUT/scores-calibration.npz --apply OUTPUT/scores-test.npz --max-gflops F",
)
@measuring
@click.option(
    "--split",
    type=click.Choice(["calibration", "test", "all"]),
    help="Write the scores of one split, or of all videos there, to the file OUTPUT. Default: of calibration and test, "
    "with a bundle whose thresholds are chosen on calibration, into the folder OUTPUT.",
)
@click.option(
    "--output", type=options.UserPath(path_type=Path), required=True, help="File or folder to write."
)
@options.force
def score(as_json: bool, **given: Any) -> None:
    """Measure every exit of BUNDLE, or of PLAN with the weights of a file. Nothing is trained.

    PLAN is a YAML file or one of the papers' plans, for instance tsm-resnet50-8.
    """
    budgets = [(name, budget) for name in ("max_gflops", "max_ms") for budget in given.pop(name)]
    if len(budgets) > 1:
        raise click.UsageError("The bundle has one budget; give one --max-gflops or --max-ms.")
    scores, bundle, runtime = measured("score", as_json=as_json, **dict(budgets), **given)
    exits = {
        split: [
            {each.measure.name: float(cost), "top1": float(right_N.mean())}
            for cost, right_N in zip(each.cost_E, each.correct(), strict=True)
        ]
        for split, each in scores.items()
    }
    if as_json:
        values = {"videos": {split: each.num_videos for split, each in scores.items()}, "exits": exits}
        plan_id = next(iter(scores.values())).plan_id
        click.echo(
            json.dumps(
                {"output": str(given["output"]), "plan_id": plan_id, "runtime": runtime, **values}, indent=1
            )
        )
        return
    from dynsearch.display.tables import format_table

    for split, each in scores.items():
        click.echo(f"{each.num_videos} {split} videos, runtime {runtime}; top-1 if all stop at one exit:")
        rows = [
            {
                "exit": f"{k}",
                each.measure.unit: f"{row[each.measure.name]:.4g}",
                "top-1": f"{100 * row['top1']:.2f}%",
            }
            for k, row in enumerate(exits[split])
        ]
        click.echo(f"{format_table(rows)}\n")
    click.echo(f"{given['output']}: {'a bundle with its scores' if bundle else 'scores'}")
