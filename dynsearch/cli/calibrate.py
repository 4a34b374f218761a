"""``dynsearch calibrate``: thresholds for any exit scores, without torch."""

from pathlib import Path
from typing import Any

import click

from dynsearch.cli.options import UserPath, any_budget, budget, force, max_ms, max_p95_ms, plugins, timing

OWN_FRONTIER = r"\A\w+,top1,threshold_0,"
OWN_POLICY = r"\Aplan_id: .*\nconfidence: .*\nthresholds:\n"
"""How these files begin."""
_ABOUT_A_POINT = ("by_class", "by", "check", "labels", "rematch", "safe")
_FILE = UserPath(dir_okay=False, path_type=Path)


@click.command(name="calibrate", short_help="Choose thresholds for exit scores.")
@click.argument("scores", type=_FILE)
@plugins
@budget
@any_budget
@max_ms
@max_p95_ms
@click.option(
    "--plan",
    help="Milliseconds: the scores' plan, a file or a shipped name. Default: plan.yaml beside SCORES.",
)
@timing
@click.option(
    "--cost-unit",
    metavar="NAME",
    help="What costs are in where a file does not say, for instance ms. Default: gflops.",
)
@click.option(
    "--solver",
    default="frontier",
    show_default=True,
    help="How thresholds are chosen: frontier, shared, target-accuracy, geometric (the paper's schedule), "
    "risk (a promise, see --max-drop), or optuna (for comparison).",
)
@click.option(
    "--confidence",
    help="How sure an exit is: max-softmax, margin, neg-entropy, max-sigmoid (several labels a video), patience, "
    "given (the file's own column), learned-gain (learned on SCORES), or auto (the best of them by cross-validation). "
    "Default: the largest probability by --activation.",
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
    "--rule",
    type=click.Choice(["paper", "msdnet"]),
    help="With --solver geometric: msdnet takes thresholds as MSDNet's code does, on a confidence, and closes an exit "
    "where fewer are left than wanted. Default: paper.",
)
@click.option(
    "--sampler", type=click.Choice(["tpe", "nsga2"]), help="With --solver optuna; the default is nsga2."
)
@click.option(
    "--trials", "num_trials", type=int, help="With --solver optuna: how many policies are tried (1000)."
)
@click.option(
    "--gmacs",
    "--costs",
    "costs",
    help="For a CSV or Parquet table: the exits' cumulative GMACs (or other costs) per video, as 4,8,13.",
)
@click.option("--probabilities", is_flag=True, help="What the files call logits are probabilities.")
@click.option(
    "--activation",
    type=click.Choice(["softmax", "sigmoid"]),
    help="What made probabilities of logits in the network's loss; mAP ranks these. Default: as the file says, or else "
    "sigmoid where videos have several labels.",
)
@click.option("--apply", "test", type=_FILE, help="Other scores (of test videos) to measure the points on.")
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
    "by",
    metavar="NAME|FILE",
    help="The same for other groups: a column of the SCORES table, or a .csv file with columns video_id and group.",
)
@click.option(
    "--groups",
    metavar="NAME|FILE",
    help="What videos share with others (people, cameras, source files), in the same form: intervals, promises and "
    "tests then count groups. Default: the scores' own group.",
)
@click.option(
    "--check",
    type=_FILE,
    help="Scores of new videos: do they stop as expected, and, if they are labelled, are they as often right?",
)
@click.option(
    "--labels", type=_FILE, help="Classes of some of these videos: a .csv with columns video_id and label."
)
@click.option("--rematch", type=_FILE, help="Unlabelled scores of new videos: restore the stop rates.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the chosen point and the whole frontier as JSON."
)
@click.option("--csv", "csv_file", type=_FILE, help="Write the whole frontier to this file.")
@click.option("--plot", "plot_file", type=_FILE, help="Draw the frontier into this file (png, svg or pdf).")
@click.option("--report", "report_file", type=_FILE, help="Write one HTML page with all of it to this file.")
@click.option("--policy", "policy_file", type=_FILE, help="Write the chosen point's thresholds to this file.")
@force
def calibrate(**options: Any) -> None:
    """Choose the thresholds of an early-exit network from its exit scores.

    SCORES is an .npz file with gmacs (exits,), confidence and correct (exits, videos), or logits (exits,
    videos, classes) and labels; or a table with columns confidence_0, correct_0, confidence_1 and so on.
    Prints the accuracy / cost frontier, and the best point under --max-gflops.
    """
    from dynsearch.calibration import calibrate as run
    from dynsearch.cli.calibrate_ms import take_milliseconds
    from dynsearch.cli.calibrate_text import OWN_PAGE, parse_costs, parse_grid, to_page, to_text
    from dynsearch.display.figures import OWN_PICTURE, check_picture, saved_figure
    from dynsearch.display.tables import write_csv
    from dynsearch.files import check_outputs, write_text

    outputs = {
        name: options.pop(name) for name in ("as_json", "csv_file", "plot_file", "policy_file", "report_file")
    }
    options["max_gflops"], options["budget"] = options["budget"], options.pop("any_budget")
    take_milliseconds(options)
    if options["max_gflops"] is not None and options["budget"] is not None:
        raise click.UsageError("--max-gflops and --budget are one; give one of them.")
    if options["budget"] is None and options["max_gflops"] is None and options["solver"] != "risk":
        about_a_point = {"--policy": outputs["policy_file"]}
        about_a_point |= {f"--{name.replace('_', '-')}": options[name] for name in _ABOUT_A_POINT}
        for name in (name for name, wanted in about_a_point.items() if wanted):
            raise click.UsageError(f"{name} is about one point: choose it with --max-gflops")
    csv_file, plot_file, policy_file = (outputs[name] for name in ("csv_file", "plot_file", "policy_file"))
    check_picture(plot_file)
    check_outputs(
        [
            (csv_file, OWN_FRONTIER),
            (plot_file, OWN_PICTURE),
            (policy_file, OWN_POLICY),
            (outputs["report_file"], OWN_PAGE),
        ],
        [options[name] for name in ("scores", "test", "check", "rematch", "by", "groups", "labels")],
        force=options.pop("force"),
    )
    costs, qs = options.pop("costs"), options.pop("qs")
    own = {
        "qs": None if qs is None else parse_grid(qs),
        "ties": ">=" if options.pop("stop_at_ties") else None,
        "rule": options.pop("rule"),
        "sampler": options.pop("sampler"),
        "num_trials": options.pop("num_trials"),
    }
    given = {name: value for name, value in own.items() if value is not None}
    result = run(**options, costs=None if costs is None else parse_costs(costs), **given)
    for note in result.notes:
        click.echo(f"note: {note}", err=True)
    if csv_file is not None:
        write_csv(result.rows(), csv_file)
    if plot_file is not None:
        with saved_figure(plot_file, width=6.4, height=4.2) as (_, axes):
            result.plot(axes)
    if policy_file is not None:
        result.policy.save(policy_file)
    if outputs["report_file"] is not None:
        write_text(outputs["report_file"], to_page(result, options["scores"].name))
    click.echo(result.to_json() if outputs["as_json"] else to_text(result))
