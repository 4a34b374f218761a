"""``dynsearch frontier``: the frontier of a study."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynsearch.cli import options

if TYPE_CHECKING:
    from dynsearch.study.folder import StudyFolder
    from dynsearch.study.results import Saving, StudyResults

_ROWS_SHOWN = 12


@click.command(short_help="Show a study's frontier, or several side by side.")
@click.argument("studies", nargs=-1, required=True, metavar="STUDY...")
@options.budgets
@click.option(
    "--plot", type=options.UserPath(path_type=Path), help="Also draw it to this .png, .svg or .pdf file."
)
@click.option(
    "--plot-grid",
    type=options.UserPath(path_type=Path),
    help="Draw the best point's plan on the frames x depth grid to this .png, .svg or .pdf file.",
)
@options.plugins
@options.studies_root
@options.force
@options.as_json
def frontier(
    studies: tuple[str, ...],
    plot: Path | None,
    plot_grid: Path | None,
    studies_root: Path,
    force: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Show the frontier of STUDY and write it to frontier.csv and frontier.png.

    Points are chosen on the calibration split; what is shown was measured on the test split. Of several studies the
    best point of each under the budget is shown, by default the first one's, and --plot draws all frontiers. Costs in
    another measure than the study's are those of its plans, and go to frontier-MEASURE.csv; of several budgets all
    are kept.
    """
    import errno

    from dynsearch.display.figures import OWN_PICTURE, check_picture
    from dynsearch.errors import DynsearchError
    from dynsearch.files import check_outputs
    from dynsearch.study.folder import StudyFolder
    from dynsearch.study.frontier_files import draw_frontier, draw_grid, write_frontier
    from dynsearch.study.record import open_record
    from dynsearch.study.results import read_results

    check_picture(plot)
    check_picture(plot_grid)
    folder, *others = (StudyFolder.existing(name, studies_root) for name in dict.fromkeys(studies))
    check_outputs([(plot, OWN_PICTURE), (plot_grid, OWN_PICTURE)], [folder.path], force=force)
    recipe = folder.recipe()
    under, limit = options.under(recipe, given)
    if others:
        if plot_grid is not None:
            raise click.UsageError("--plot-grid draws the plan of one study.")
        if under is not None or limit is None:
            raise click.UsageError("Several studies are compared by their own costs, under one budget.")
        compare([folder, *others], limit, plot, as_json=as_json)
        return
    results = read_results(open_record(folder), folder, solver=recipe.solver, under=under)
    limit = results.points[-1].calibration.cost if limit is None else limit
    recipe = (under or recipe).model_copy(update={} if under is None else {"budget": limit})
    written = True
    try:
        write_frontier(folder, recipe, results)
    except DynsearchError as error:
        if getattr(error.__cause__, "errno", None) not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        written = False
        click.echo(f"not written: {error}", err=True)
    if plot is not None:
        draw_frontier(plot, folder.name, recipe, results)
    if plot_grid is not None:
        draw_grid(plot_grid, folder.name, results, limit)
    kind = recipe.kind_of_results
    print_frontier(results, folder, limit, as_json=as_json, written=written, kind=kind)


def compare(folders: Sequence[StudyFolder], budget: float, plot: Path | None, *, as_json: bool) -> None:
    """Print the best point of each study under the budget, and draw their frontiers where ``plot`` says."""
    from dynsearch.display.frontier_plot import plot_families
    from dynsearch.report.frontier_table import frontier_table
    from dynsearch.study.record import open_record
    from dynsearch.study.report_files import read_beside
    from dynsearch.study.results import read_results

    first = folders[0]
    found = {first.name: read_results(open_record(first), first, solver=first.recipe().solver)}
    for other in folders[1:]:
        results, remark = read_beside(first.name, found[first.name], other)
        found[other.name] = results
        if remark:
            click.echo(f"{other.name} was {remark}", err=True)
    measure = found[first.name].measure
    rows = {name: results.rows_under(budget) for name, results in found.items()}
    best = [{"study": name, **row} for name, own in rows.items() for row in own if row["chosen"]]
    if plot is not None:
        plot_families(rows, plot, title=" and ".join(found), budget=budget, unit=measure)
    if as_json:
        click.echo(json.dumps({measure.budget_name: budget, "points": best, "frontiers": rows}, indent=1))
        return
    click.echo(f"Best of each study under {budget:g} {measure.per_video}, chosen on calibration, on test:\n")
    click.echo(frontier_table(best, measure))
    for name in found.keys() - {row["study"] for row in best}:
        click.echo(f"{name}: every point costs more")


def print_frontier(
    results: StudyResults,
    folder: StudyFolder,
    budget: float,
    *,
    as_json: bool,
    written: bool = True,
    kind: str = "",
) -> None:
    """Print the frontier, the point under the budget, and what early exits save."""
    from dynsearch.report.frontier_table import frontier_table
    from dynsearch.study.results import best_rows, left_out_text, spread

    chosen, measure = results.best_under(budget), results.measure
    saving = results.saving
    tau = results.one_shot_tau()
    if results.left_out:
        click.echo(f"left out: {left_out_text(results.left_out)}", err=True)
    rows = results.rows_under(budget)
    row_of = {id(point): row for point, row in zip(results.points, rows, strict=True)}
    if as_json:
        values = {
            "study": folder.name,
            "num_trials": len(results.plans),
            **({"left_out": results.left_out} if results.left_out else {}),
            measure.budget_name: budget,
            "point": row_of[id(chosen)],
            "saving": {
                "share": saving.share,
                f"test_{measure.name}": saving.point.test.cost,
                "test_top1": saving.point.test.top1,
                f"full_{measure.name}": saving.full_cost,
                "full_top1": saving.full_top1,
                "difference_low": saving.difference.low,
                "difference_high": saving.difference.high,
            },
            "one_shot_kendall_tau": None if math.isnan(tau) else tau,
            "frontier": rows,
        }
        click.echo(json.dumps(values, indent=1))
        return
    shown = spread(results.points, _ROWS_SHOWN)
    more = f"all in {folder.path / f'frontier{kind}.csv'}" if written else "all with --json"
    click.echo(
        f"\nFrontier of {results.kinds}, on test ({len(shown)} of {len(results.points)} points; {more}):\n"
    )
    click.echo(frontier_table([row_of[id(point)] for point in shown], measure))
    click.echo(f"\nBest under {budget:g} {measure.per_video}, chosen on calibration:\n")
    click.echo(frontier_table([row_of[id(chosen)]], measure))
    if chosen.calibration.doubt:
        click.echo(f"? {chosen.calibration.doubt} (calibration)")
    if len(results.families) > 1:
        more = f" (all in {folder.path / f'families{kind}.csv'})" if written else ""
        click.echo(f"\nBest of each family under {budget:g}, likewise{more}:\n")
        click.echo(frontier_table(best_rows(results.families, budget), measure))
    click.echo(f"\n{_saving_text(saving)}")
    if not math.isnan(tau):
        click.echo(
            f"\nOne-shot predictions and trained top-1 of {len(results.predictions)} plans at equal budgets: "
            f"Kendall's tau {tau:.2f}."
        )


def _saving_text(saving: Saving) -> str:
    measure = saving.point.measure
    top1, full_top1 = (f"{100 * value:.1f}%" for value in (saving.point.test.top1, saving.full_top1))
    if saving.share < 0.005:
        return (
            f"Early exits save nothing at the accuracy of full inference: trial {saving.full_trial} in full takes "
            f"{measure.text(saving.full_cost)} at top-1 {full_top1}."
        )
    low, high = (100 * end for end in saving.difference)
    return (
        f"Early exits: {measure.text(saving.point.test.cost)} instead of {saving.full_cost:.4g} "
        f"({100 * saving.share:.0f}% less) at top-1 {top1} instead of {full_top1}\n"
        f"(95% interval of the difference: {low:+.1f} to {high:+.1f} points)."
    )
