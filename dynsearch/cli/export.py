"""``dynsearch export``: one point of a study's frontier as a bundle, and a bundle as graph files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynsearch.cli import options

if TYPE_CHECKING:
    from dynsearch.export import Bundle
    from dynsearch.export.graphs import Int8
    from dynsearch.training.source import DatasetClips


@click.command(
    short_help="Write a study's best point under a budget as a bundle; or graph files.",
    epilog="Graph files (one for each step from exit to exit) and run.py go into OUTPUT/FORMAT/. run.py stops "
    "early with onnxruntime and needs neither torch nor dynsearch.",
)
@click.argument("source", metavar="STUDY|BUNDLE")
@options.budgets
@click.option(
    "--output",
    type=options.UserPath(path_type=Path),
    help="Folder of the bundle. Default for a BUNDLE: itself.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["bundle", "onnx", "torch-export"]),
    default="bundle",
    show_default=True,
    help="Also write graph files.",
)
@click.option(
    "--all-budgets",
    type=click.Choice(["shared", "all"]),
    is_flag=False,
    flag_value="shared",
    help="Also write what every other budget needs, for predict and evaluate --max-gflops: the plans that share the "
    "one-shot network's weights, or all plans.",
)
@click.option(
    "--quantize",
    type=click.Choice(["int8"]),
    help="Write ONNX graphs in int8, for CPUs. The bundle's data set is scored with them, on calibration and test, and "
    "thresholds are solved again.",
)
@options.plugins
@options.data_root
@options.allow_outside
@options.studies_root
@options.force
def export(
    source: str,
    output: Path | None,
    format_: str,
    all_budgets: str | None,
    quantize: str | None,
    data_root: Path | None,
    allow_outside: bool | None,
    studies_root: Path,
    force: bool,
    **budgets: Any,
) -> None:
    """Write the best point of STUDY under a budget as a bundle: plan, weights, thresholds, labels, card.

    The point is chosen on the calibration split. Default budget: the study's own. A BUNDLE given instead, for
    instance one trained in full, is written as graph files, or with the thresholds of another budget to OUTPUT.
    """
    if quantize and format_ != "onnx":
        raise click.UsageError("--quantize goes with --format onnx.")
    given = Path(source).expanduser()
    if (given / "policy.yaml").is_file():
        from dynsearch.export import Bundle

        bundle = Bundle.load(given)
        if all_budgets:
            raise click.UsageError("--all-budgets takes the plans of a study; a bundle has one.")
        if any(budgets.values()):
            bundle = _at(bundle, budgets, output, force=force)
        elif format_ == "bundle":
            raise click.UsageError(
                f"{given} is a bundle already; give --max-gflops and --output, or --format onnx or torch-export."
            )
    elif output is None:
        raise click.UsageError("Give --output, the folder of the bundle.")
    else:
        how = {"data_root": data_root, "allow_outside": bool(allow_outside), "force": force}
        bundle = _from_study(source, studies_root, budgets, all_budgets, output, **how)
    if format_ == "bundle":
        return
    from dynsearch.api.bars import counting
    from dynsearch.export.graphs import write_graphs
    from dynsearch.files import check_no_input

    folder = (output or given) / format_
    check_no_input(folder, [bundle.folder], ours=True)
    videos = _videos(bundle, data_root, allow_outside=bool(allow_outside)) if quantize else None
    with counting("scoring", quiet=not quantize) as progress:
        int8 = write_graphs(
            bundle, folder, format_, int8=videos, force=force,
            on_step=lambda report: progress(report.done, report.total),
        )  # fmt: skip
    if int8:
        _print(int8, bundle.recipe.budget)
    click.echo(f"{folder}: {len(bundle.plan.exits)} graphs; python {folder / 'run.py'} VIDEO...")


def _videos(bundle: Bundle, data_root: Path | None, *, allow_outside: bool) -> DatasetClips:
    """Return the calibration and test clips of a bundle, on which int8 steps are made and measured."""
    from dynsearch.api.videos import open_videos
    from dynsearch.network.runtimes.onnx import check_onnx
    from dynsearch.study.run_settings import RunSettings

    check_onnx()
    return open_videos(
        bundle.recipe, bundle.class_names, None, dataset=None, data_root=bundle.root(None, data_root),
        run=RunSettings(allow_outside=allow_outside), known=bundle.contents(),
        warn=lambda text: click.echo(f"dynsearch: {text}", err=True),
    )  # fmt: skip


def _print(int8: Int8, budget: float) -> None:
    """Print the best points of both networks under a few budgets, beside each other."""
    from dynsearch.budget import fits
    from dynsearch.display.tables import format_table

    full = int8.scores[1].cost_E[-1]
    rows = []
    for limit in sorted({budget, *(share * full for share in (0.25, 0.5, 0.75, 1.0))}):
        row = {"GFLOPs at most": f"{limit:.4g}"}
        for name, points in {"float32": int8.float32, "int8": int8.points}.items():
            row |= {f"{name} GFLOPs": "-", f"{name} top-1": "-"}
            for best in [point for point in points if fits(point.calibration.cost, limit)][-1:]:
                low, high = (100 * end for end in best.test_interval)
                row[f"{name} GFLOPs"] = f"{best.test.cost:.4g}"
                row[f"{name} top-1"] = f"{100 * best.test.top1:.1f}% ({low:.1f}-{high:.1f})"
        rows.append(row)
    click.echo(
        f"On {int8.scores[1].num_videos} test videos, with 95% intervals; thresholds are solved on each network's "
        "own calibration scores. GFLOPs are 10^9 multiply-accumulates, as many in int8 as in float32.\n"
        f"\n{format_table(rows)}\n\nrun.py has the int8 thresholds for {budget:.4g} GFLOPs."
    )


def _at(bundle: Bundle, budgets: dict[str, Any], output: Path | None, *, force: bool) -> Bundle:
    """Write a trained bundle at another budget, and say what it does there."""
    from dynsearch.api.export import export_at

    other, limit = options.under(bundle.recipe, budgets)
    if other is not None or limit is None:
        raise click.UsageError(f"The budget of this bundle is in {bundle.recipe.measure.unit}.")
    if output is None:
        raise click.UsageError("Give --output, the folder of the bundle at that budget.")
    bundle, point = export_at(bundle, output, limit, force=force)
    low, high = (100 * end for end in point.test_interval)
    click.echo(
        f"{bundle.folder}: top-1 {100 * point.test.top1:.1f}% ({low:.1f} to {high:.1f}) at {point.test.cost:.4g} "
        f"{point.measure.per_video} on test"
    )
    return bundle


def _from_study(
    name: str,
    studies_root: Path,
    budgets: dict[str, Any],
    all_budgets: str | None,
    output: Path,
    **how: Any,
) -> Bundle:
    """Write a study's best point as a bundle, and say what it is."""
    from dynsearch.study.folder import StudyFolder

    folder = StudyFolder.existing(name, studies_root)

    from dynsearch.api.export import export_point
    from dynsearch.export.ownership import BUDGETS
    from dynsearch.study.record import open_record
    from dynsearch.study.results import read_results

    recipe = folder.recipe()
    under, limit = options.under(recipe, budgets)
    if limit is None:
        raise click.UsageError("--measure says what costs are in; give the budget too.")
    results = read_results(open_record(folder), folder, solver=recipe.solver, under=under)
    if all_budgets == "shared":
        results = results.of_shared()
    point = results.best_under(limit)
    how |= {"budget": limit, "under": under, "all_budgets": bool(all_budgets)}
    bundle = export_point(folder, results, point, output, **how)
    click.echo(
        f"{bundle.folder}: trial {point.key}, plan {bundle.plan.plan_id}, top-1 {100 * point.test.top1:.1f}% at "
        f"{point.test.cost:.4g} {point.measure.per_video} on test\n{bundle.plan}"
    )
    if all_budgets:
        low, high = (results.points[end].calibration.cost for end in (0, -1))
        size = (output / BUDGETS).stat().st_size / 1e6
        click.echo(
            f"{output / BUDGETS}: {len(results.points)} points of {len(results.plans)} plans from {low:.4g} to "
            f"{high:.4g} {point.measure.per_video}, {size:,.1f} MB"
        )
    return bundle
