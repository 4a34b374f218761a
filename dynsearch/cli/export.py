"""``dynsearch export``: one point of a study's frontier as a bundle."""

from __future__ import annotations

from pathlib import Path

import click

from dynsearch.cli import options


@click.command(short_help="Write a study's best point under a budget as a bundle.")
@click.argument("study")
@options.max_gflops
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder of the bundle.")
@options.data_root
@options.studies_root
def export(
    study: str, max_gflops: float | None, output: Path, data_root: Path | None, studies_root: Path
) -> None:
    """Write the best point of STUDY under a budget as a bundle: plan, weights, thresholds, labels, card.

    The point is chosen on the calibration split. Default budget: the study's own.
    """
    from dynsearch.data.catalogue import open_dataset
    from dynsearch.export import write_bundle
    from dynsearch.search.folder import StudyFolder
    from dynsearch.search.record import open_record
    from dynsearch.search.results import read_results

    folder = StudyFolder.existing(study, studies_root)
    recipe = folder.recipe()
    if max_gflops is not None:
        recipe = recipe.model_copy(update={"max_gflops": max_gflops})
    results = read_results(open_record(folder), folder, solver=recipe.solver)
    point = results.best_under(recipe.max_gflops)
    dataset = open_dataset(
        recipe.dataset, data_root, calibration_fraction=recipe.calibration_fraction, seed=recipe.seed
    )
    bundle = write_bundle(
        output,
        plan=results.plans[point.key],
        point=point,
        weights=folder.trial(point.key) / "weights.safetensors",
        class_names=dataset.class_names,
        recipe=recipe,
    )
    click.echo(
        f"{bundle.folder}: trial {point.key}, plan {bundle.plan.plan_id}, top-1 {100 * point.test.top1:.1f}% at "
        f"{point.test.gflops:.4g} GFLOPs per video on test\n{bundle.plan}"
    )
