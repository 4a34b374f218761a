"""``dynsearch calibrate``: thresholds for any exit scores, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dynsearch.cli.options import budget

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(name="calibrate", short_help="Choose thresholds for exit scores.")
@click.argument("scores", type=_FILE)
@budget
@click.option(
    "--solver",
    default="frontier",
    show_default=True,
    help="How thresholds are chosen: frontier, geometric (the paper's schedule), shared, target-accuracy, "
    "risk (a promise, see --max-drop), or optuna (for comparison).",
)
@click.option(
    "--confidence",
    default="max-softmax",
    show_default=True,
    help="How sure an exit is: max-softmax, margin, neg-entropy, max-sigmoid (several labels a video), patience, "
    "given (the file's own column), learned-gain (learned on SCORES), or auto (the best of them by cross-validation).",
)
@click.option(
    "--qs", help="With --solver geometric: its ratios q, as 0.8,1,1.2 or 0.05:1.95:200 (from, to, how many)."
)
@click.option(
    "--stop-at-ties",
    is_flag=True,
    help="With --solver geometric: videos that tie at a threshold stop (>=, MSDNet's code); else they go on (>, "
    "the paper).",
)
@click.option(
    "--sampler", type=click.Choice(["tpe", "nsga2"]), help="With --solver optuna; the default is nsga2."
)
@click.option(
    "--trials", "num_trials", type=int, help="With --solver optuna: how many policies are tried (1000)."
)
@click.option(
    "--gmacs", "costs", help="For a CSV or Parquet table: the exits' cumulative GMACs per video, as 4,8,13."
)
@click.option(
    "--apply", "apply_to", type=_FILE, help="Other scores (of test videos) to measure the points on."
)
@click.option("--allow-overlap", is_flag=True, help="Accept --apply scores that share videos with SCORES.")
@click.option("--cross-fit", is_flag=True, help="Estimate accuracy and cost on new videos from SCORES alone.")
@click.option("--safe", is_flag=True, help="Keep --max-gflops on new videos too, with chance 1 - delta.")
@click.option(
    "--max-drop",
    type=float,
    help="With --solver risk: top-1 at most this far (0.01 is one point) below the full network.",
)
@click.option(
    "--delta", type=float, help="Chance left for --safe (0.1) and --solver risk (0.05) not to hold."
)
@click.option("--temperatures", is_flag=True, help="Show each exit's temperature, NLL and calibration error.")
@click.option("--by-class", is_flag=True, help="Show the chosen point for each class, the most hurt first.")
@click.option(
    "--by",
    "by_group",
    metavar="NAME|FILE",
    help="The same for other groups: a column of the SCORES table, or a .csv file with columns video_id and group.",
)
@click.option(
    "--check", "check_on", type=_FILE, help="Unlabelled scores of new videos: do they stop as expected?"
)
@click.option(
    "--rematch", "rematch_on", type=_FILE, help="Unlabelled scores of new videos: restore the stop rates."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the chosen point and the whole frontier as JSON."
)
@click.option("--csv", "csv_file", type=_FILE, help="Write the whole frontier to this file.")
@click.option("--plot", "plot_file", type=_FILE, help="Draw the frontier into this file (png, svg or pdf).")
@click.option("--policy", "policy_file", type=_FILE, help="Write the chosen point's thresholds to this file.")
def calibrate(**options: Any) -> None:
    """Choose the thresholds of an early-exit network from its exit scores.

    SCORES is an .npz file with gmacs (exits,), confidence and correct (exits, videos), or logits (exits,
    videos, classes) and labels; or a table with columns confidence_0, correct_0, confidence_1 and so on.
    Prints the accuracy / cost frontier, and the best point under --max-gflops.
    """
    from dynsearch.cli import calibrate_output as output
    from dynsearch.cli.calibrate_request import Request
    from dynsearch.cli.calibrate_run import run
    from dynsearch.cli.calibrate_text import to_text

    outputs = {name: options.pop(name) for name in ("as_json", "csv_file", "plot_file", "policy_file")}
    request = Request(**options)
    if not request.chooses_a_point:
        for name, wanted in [
            ("--policy", outputs["policy_file"]),
            ("--by-class", request.by_class),
            ("--by", request.by_group),
            ("--check", request.check_on),
            ("--rematch", request.rematch_on),
            ("--safe", request.safe),
        ]:
            if wanted:
                raise click.UsageError(f"{name} is about one point: choose it with --max-gflops")
    result = run(request)
    for note in result.notes:
        click.echo(f"note: {note}", err=True)
    if outputs["csv_file"] is not None:
        output.write_csv(outputs["csv_file"], result)
    if outputs["plot_file"] is not None:
        output.write_plot(outputs["plot_file"], result)
    if outputs["policy_file"] is not None:
        result.final_policy.save(outputs["policy_file"])
    click.echo(output.to_json(result) if outputs["as_json"] else to_text(result))
