"""``dynsearch calibrate``: thresholds for any exit scores, without torch."""

from __future__ import annotations

from pathlib import Path

import click

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(name="calibrate", short_help="Choose thresholds for exit scores.")
@click.argument("scores", type=_FILE)
@click.option("--max-gflops", type=float, help="Budget: mean GFLOPs (10^9 multiply-accumulates) per video.")
@click.option(
    "--solver",
    default="frontier",
    show_default=True,
    help="How thresholds are chosen: frontier, geometric (the paper's schedule), shared, target-accuracy.",
)
@click.option(
    "--confidence",
    default="max-softmax",
    show_default=True,
    help="How sure an exit is: max-softmax, margin, neg-entropy, or given (the file's own column).",
)
@click.option(
    "--apply", "apply_to", type=_FILE, help="Other scores (of test videos) to measure the points on."
)
@click.option("--allow-overlap", is_flag=True, help="Accept --apply scores that share videos with SCORES.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the chosen point and the whole frontier as JSON."
)
@click.option("--csv", "csv_file", type=_FILE, help="Write the whole frontier to this file.")
@click.option("--plot", "plot_file", type=_FILE, help="Draw the frontier into this file (png, svg or pdf).")
@click.option("--policy", "policy_file", type=_FILE, help="Write the chosen point's thresholds to this file.")
def calibrate(
    scores: Path,
    max_gflops: float | None,
    solver: str,
    confidence: str,
    apply_to: Path | None,
    allow_overlap: bool,
    as_json: bool,
    csv_file: Path | None,
    plot_file: Path | None,
    policy_file: Path | None,
) -> None:
    """Choose the thresholds of an early-exit network from its exit scores.

    SCORES is an .npz file with gmacs (exits,), confidence and correct (exits, videos), or logits (exits,
    videos, classes) and labels. Prints the accuracy / cost frontier, and the best point under --max-gflops.
    """
    if policy_file is not None and max_gflops is None:
        raise click.UsageError("--policy writes one point: choose it with --max-gflops")

    from dynsearch.cli import calibrate_output as output
    from dynsearch.frontier import solve_thresholds
    from dynsearch.scores import ExitScores
    from dynsearch.scores.overlap import check_disjoint

    calibration = ExitScores.load(scores)
    other = None if apply_to is None else ExitScores.load(apply_to)
    if other is not None and not allow_overlap and not check_disjoint(calibration, other):
        click.echo("note: not both files have video_ids, so shared videos can't be noticed", err=True)
    curve = solve_thresholds(calibration, solver, confidence=confidence)
    result = output.Calibration(
        frontier=curve,
        point=None if max_gflops is None else curve.best_under(max_gflops),
        applied=None if other is None else curve.evaluate(other),
    )
    if csv_file is not None:
        output.write_csv(csv_file, result)
    if plot_file is not None:
        output.write_plot(plot_file, result, max_gflops)
    if policy_file is not None and result.point is not None:
        result.point.policy.save(policy_file)
    click.echo(output.to_json(result) if as_json else output.to_text(result, max_gflops))
