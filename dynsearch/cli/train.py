"""``dynsearch train``: train one plan in full."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynsearch.cli import options

if TYPE_CHECKING:
    from dynsearch.plan import Plan
    from dynsearch.search.recipe import StudyRecipe
    from dynsearch.training.loop import EpochReport


@click.command(
    short_help="Train a bundle or a plan in full.",
    epilog="Killed at any moment, the same command goes on from the last finished epoch.",
)
@click.argument("what", metavar="BUNDLE|PLAN.yaml", type=click.Path(path_type=Path))
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="Folder of the trained bundle."
)
@click.option("--dataset", help="Data set. Default: the bundle's.")
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the training split.")
@options.max_gflops
@click.option("--warm-start", is_flag=True, help="Start from the bundle's weights instead of anew.")
@click.option("--weights", type=click.Path(path_type=Path), help="Start the backbone from this file.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of everything random.")
@options.settings
@options.data_root
def train(
    what: Path,
    output: Path,
    dataset: str | None,
    epochs: int | None,
    warm_start: bool,
    weights: Path | None,
    settings: tuple[str, ...],
    data_root: Path | None,
    **overrides: Any,
) -> None:
    """Train the plan of a bundle, or PLAN.yaml, and write a bundle with recalibrated thresholds.

    A bundle brings its recipe; for a plan file give --dataset, whose shipped recipe is used.
    """
    settings += (f"training.epochs={epochs}",) if epochs else ()
    settings += (f"training.weights={weights}",) if weights else ()
    plan, recipe, trained = _what_to_train(what, dataset, settings, overrides)
    if warm_start and trained is None:
        raise click.UsageError("--warm-start needs a bundle; a plan file has no weights.")

    from dynsearch.export.train import train_bundle
    from dynsearch.search.source import open_clips

    source = open_clips(recipe, data_root, write=click.echo)

    def show(report: EpochReport) -> None:
        click.echo(
            f"epoch {report.epoch}/{recipe.training.epochs}: loss {report.loss:.3f}, "
            f"train top-1 {100 * report.top1:.1f}%, {report.seconds:.1f} s"
        )

    bundle, point = train_bundle(
        plan, recipe, source, output, start_from=trained if warm_start else None, on_epoch=show
    )
    click.echo(
        f"{bundle.folder}: top-1 {100 * point.test.top1:.1f}% at {point.test.gflops:.4g} GFLOPs per video on test"
    )


def _what_to_train(
    what: Path, dataset: str | None, settings: tuple[str, ...], overrides: dict[str, Any]
) -> tuple[Plan, StudyRecipe, Path | None]:
    """Return the plan, the recipe to train it by, and the weights it has already."""
    from dynsearch.plan import Plan
    from dynsearch.search.recipe import StudyRecipe

    overrides["dataset"] = dataset
    if what.is_dir():
        from dynsearch.export import Bundle

        bundle = Bundle.load(what)
        recipe = StudyRecipe.load(str(what / "recipe.yaml"), settings=settings, overrides=overrides)
        return bundle.plan, recipe, bundle.weights
    if dataset is None:
        raise click.UsageError("A plan file needs --dataset, whose recipe says how to train.")
    return Plan.load(what), StudyRecipe.load(dataset, settings=settings, overrides=overrides), None
