"""``dynsearch export``: one point of a study's frontier as a bundle, and a bundle as graph files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dynsearch.cli import options

if TYPE_CHECKING:
    from dynsearch.export import Bundle


@click.command(
    short_help="Write a study's best point under a budget as a bundle; or graph files.",
    epilog="Graph files (one for each step from exit to exit) and run.py go into OUTPUT/FORMAT/. run.py stops "
    "early with onnxruntime and needs neither torch nor dynsearch.",
)
@click.argument("source", metavar="STUDY|BUNDLE")
@options.budget
@options.any_budget
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
@options.plugins
@options.data_root
@options.allow_outside
@options.studies_root
@options.force
def export(
    source: str,
    budget: float | None,
    any_budget: float | None,
    output: Path | None,
    format_: str,
    data_root: Path | None,
    allow_outside: bool | None,
    studies_root: Path,
    force: bool,
) -> None:
    """Write the best point of STUDY under a budget as a bundle: plan, weights, thresholds, labels, card.

    The point is chosen on the calibration split. Default budget: the study's own. A BUNDLE given instead, for
    instance one trained in full, is written as graph files.
    """
    given = Path(source).expanduser()
    if (given / "policy.yaml").is_file():
        from dynsearch.export import Bundle

        if format_ == "bundle":
            raise click.UsageError(f"{given} is a bundle already; give --format onnx or torch-export.")
        if budget is not None or any_budget is not None:
            raise click.UsageError("--max-gflops chooses from a study; a bundle has its thresholds.")
        bundle = Bundle.load(given)
    elif output is None:
        raise click.UsageError("Give --output, the folder of the bundle.")
    else:
        outside = bool(allow_outside)
        bundle = _from_study(
            source, budget, any_budget, output, data_root, studies_root, allow_outside=outside, force=force
        )
    if format_ != "bundle":
        from dynsearch.export.graphs import write_graphs
        from dynsearch.files import check_no_input

        folder = (output or given) / format_
        check_no_input(folder, [bundle.folder], ours=True)
        write_graphs(bundle, folder, format_, force=force)
        click.echo(f"{folder}: {len(bundle.plan.exits)} graphs; python {folder / 'run.py'} VIDEO...")


def _from_study(
    name: str,
    max_gflops: float | None,
    budget: float | None,
    output: Path,
    data_root: Path | None,
    studies_root: Path,
    *,
    allow_outside: bool,
    force: bool,
) -> Bundle:
    """Write a study's best point as a bundle, and say what it is."""
    from dynsearch.study.folder import StudyFolder

    folder = StudyFolder.existing(name, studies_root)

    from dynsearch.api.export import export_point
    from dynsearch.study.record import open_record
    from dynsearch.study.results import read_results

    recipe = folder.recipe()
    limit = options.budget_of(recipe, max_gflops, budget)
    results = read_results(open_record(folder), folder, solver=recipe.solver)
    point = results.best_under(limit)
    bundle = export_point(
        folder,
        results,
        point,
        output,
        budget=limit,
        data_root=data_root,
        allow_outside=allow_outside,
        force=force,
    )
    click.echo(
        f"{bundle.folder}: trial {point.key}, plan {bundle.plan.plan_id}, top-1 {100 * point.test.top1:.1f}% at "
        f"{point.test.cost:.4g} {point.measure.per_video} on test\n{bundle.plan}"
    )
    return bundle
