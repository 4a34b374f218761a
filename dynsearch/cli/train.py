"""``dynsearch train``: train one plan in full."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynsearch.cli import options

if TYPE_CHECKING:
    from dynsearch.export import Bundle
    from dynsearch.frontier import MergedPoint
    from dynsearch.plan import Plan
    from dynsearch.plan.starting_weights import Weights
    from dynsearch.study.recipe import StudyRecipe
    from dynsearch.study.run_settings import RunSettings
    from dynsearch.training.ranks import Ranks
    from dynsearch.training.source import DatasetClips


@click.command(
    cls=options.WeightsCommand,
    short_help="Train a bundle or a plan in full.",
    epilog="Killed at any moment, the same command goes on from the last saved state.\n\n"
    "Several GPUs: dynsearch train net --output net-full --nproc 4, or on several machines torchrun ... -m "
    "dynsearch train net --output net-full. Each process takes training.batch_size videos at a time, so P "
    "processes train on P times as many, at P times the learning rate.",
)
@click.argument("what", metavar="BUNDLE|PLAN", type=options.UserPath(path_type=Path))
@click.option(
    "--output", type=options.UserPath(path_type=Path), required=True, help="Folder of the trained bundle."
)
@click.option("--dataset", help="Data set. Default: the bundle's.")
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the training split.")
@options.budget
@options.max_ms
@options.max_p95_ms
@options.timing
@click.option(
    "--only",
    type=click.Choice(["heads"]),
    help="Fit the exits' heads on the backbone as it is, and nothing else.",
)
@click.option(
    "--head",
    "heads",
    multiple=True,
    help="With --only heads: their kind, as slots. Several: the best on held-out training videos is kept.",
)
@click.option("--warm-start", is_flag=True, help="Start from the bundle's weights instead of anew.")
@options.weights
@click.option("--seed", type=click.IntRange(min=0), help="Seed of everything random.")
@click.option(
    "--nproc",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes on this machine that train together, each on a GPU of its own, or on CPUs.",
)
@options.plugins
@options.settings
@options.data_root
@options.allow_outside
@options.reader
@options.loggers
@options.quiet
@options.as_json
def train(
    what: Path,
    output: Path,
    dataset: str | None,
    epochs: int | None,
    only: str | None,
    heads: tuple[str, ...],
    warm_start: bool,
    weights: Weights | None,
    nproc: int,
    settings: tuple[str, ...],
    data_root: Path | None,
    loggers: tuple[str, ...],
    quiet: bool,
    as_json: bool,
    accept: bool,
    **overrides: Any,
) -> None:
    """Train the plan of a bundle, or PLAN, and write a bundle with recalibrated thresholds.

    A bundle brings its recipe. PLAN is a YAML file or one of the papers' plans, for instance tsm-resnet50-8; it takes
    the shipped recipe of --dataset.
    """
    from dynsearch.data.catalogue import check_root
    from dynsearch.families import family_of
    from dynsearch.plan.starting_weights import check_names, weights_files
    from dynsearch.plugins import imported
    from dynsearch.training.launcher import is_rank, launch, prepare_rank, rendezvous_file
    from dynsearch.training.stopping import stopped_by_sigterm

    if is_rank():
        prepare_rank()
    click.get_current_context().with_resource(stopped_by_sigterm())
    settings += options.ms_settings(overrides)
    settings += (f"training.epochs={epochs}",) if epochs else ()
    settings += (f"training.weights={json.dumps(weights, default=str)}",) if weights else ()
    overrides |= {"dataset": dataset, "loggers": loggers or None, "plugins": imported() or None}
    plan, recipe, run, trained = _what_to_train(what, dataset, settings, overrides)
    recipe = options.accepting(recipe, settings, accept=accept).carried_in(
        output, lambda text: click.echo(text, err=True)
    )
    check_root(recipe.dataset, data_root)
    if warm_start and trained is None:
        raise click.UsageError("--warm-start needs a bundle; a plan file has no weights.")
    if warm_start and weights:
        raise click.UsageError("--warm-start and --weights both say what the training starts from.")
    check_names(recipe.training.weights, family_of(plan).backbone_names)
    if heads and not only:
        raise click.UsageError("--head goes with --only heads; a plan that is trained has its own.")
    if only and (nproc > 1 or is_rank()):
        raise click.UsageError("--only heads is the work of one process.")
    if recipe.calibration == "folds" and (only or warm_start):
        raise click.UsageError(
            f"{'--only heads' if only else '--warm-start'} takes weights that have seen the training videos, so "
            "thresholds can't be fitted to them by calibration: folds. Add --set calibration=split."
        )
    if only and (epochs or warm_start):
        raise click.UsageError("--epochs and --warm-start are of a training, which --only heads is not.")

    if nproc > 1 and not is_rank():
        sys.exit(launch([sys.executable, "-m", "dynsearch", *sys.argv[1:]], nproc))
    if nproc > 1 and rendezvous_file() is None:
        raise click.UsageError("torchrun starts the processes already; leave --nproc out.")

    if trained is None and overrides["max_gflops"] is None and overrides["max_ms"] is None:
        # A recipe's budget is that of its search; this plan's exits are all the user's wish.
        most = max(recipe.budget, recipe.measure.cost_E(plan, 1000)[-1])
        recipe = recipe.model_copy(update={"budget": float(most)})
    fit = {"kinds": heads, "start_from": None if weights else trained} if only else None
    start, inputs = trained if warm_start else None, [what, *weights_files(weights), data_root]
    _train(plan, recipe, run, output, start, fit, inputs, quiet=quiet or as_json, as_json=as_json)


def _train(
    plan: Plan,
    recipe: StudyRecipe,
    run: RunSettings,
    output: Path,
    start: Path | None,
    fit: dict[str, Any] | None,
    inputs: list[Path | None],
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train, or fit heads as ``fit`` says, and print what came of it."""
    from dynsearch.cli.train_progress import training_progress
    from dynsearch.export.ownership import check_training
    from dynsearch.export.train import train_bundle, trained_already
    from dynsearch.search.loggers import open_loggers
    from dynsearch.training.only_heads import HeadFitting, with_heads
    from dynsearch.training.ranks import joined_ranks

    with joined_ranks(run.timeout) as ranks:
        if ranks.is_first:
            check_training(output, with_heads(plan, (fit or {}).get("kinds", ())), inputs)
            recipe.measure.cost_E(
                plan, 1000
            )  # Times that are lacking are measured by one process, before the work.
        ranks.gather(None)
        source = _open(recipe, run, inputs[-1], ranks, trains=fit is None, quiet=quiet)
        fitting = None
        if fit is not None:
            fitting = HeadFitting(
                plan,
                source=source,
                config=recipe.training,
                seed=recipe.seed,
                measure=recipe.measure,
                **fit,
            )
            recipe = recipe.model_copy(update={"training": fitting.settings})
        already = ranks.from_first(
            lambda: trained_already(
                plan, recipe, source, output, start_from=start, processes=ranks.count, fitting=fitting
            )
        )
        trackers = open_loggers(run.loggers, output.name, recipe) if ranks.is_first else []
        silent = quiet or not ranks.is_first
        with training_progress(plan, recipe.training.epochs, quiet=silent, loggers=trackers) as progress:
            trained_bundle = train_bundle(
                plan,
                recipe,
                source,
                output,
                start_from=start,
                fitting=fitting,
                save_every_steps=run.save_every_steps,
                ranks=ranks,
                on_start=progress.write,
                on_epoch=progress.epoch,
                on_step=progress.step,
            )
            if trained_bundle is not None:
                progress.ended(trained_bundle[1].calibration)
    if trained_bundle is not None:
        _print(*trained_bundle, already, as_json=as_json)


def _print(bundle: Bundle, point: MergedPoint[int], already: str | None, *, as_json: bool) -> None:
    if not as_json:
        before = f"{already}, " if already else ""
        click.echo(
            f"{bundle.folder}: {before}top-1 {100 * point.test.top1:.1f}% at {point.test.cost:.4g} "
            f"{point.measure.per_video} on test"
        )
        return
    values = {
        "bundle": str(bundle.folder),
        "plan_id": bundle.plan.plan_id,
        "trained_already": already is not None,
        "test_top1": point.test.top1,
        "test_top1_low": point.test_interval.low,
        "test_top1_high": point.test_interval.high,
        f"test_{point.measure.name}": point.test.cost,
    }
    click.echo(json.dumps(values, indent=1))


def _open(
    recipe: StudyRecipe, run: RunSettings, data_root: Path | None, ranks: Ranks, *, trains: bool, quiet: bool
) -> DatasetClips:
    """Return the clips, opened by the first process before the others: what is wrong with them is said once."""
    from dynsearch.study.source import open_clips

    source = None
    shows = ranks.is_first and not quiet
    for turn in (True, False):
        if turn is ranks.is_first:
            source = open_clips(recipe, data_root, run=run, write=click.echo if shows else None)
        ranks.gather(None)
    assert source is not None
    if shows and trains:
        training, count = recipe.training, ranks.count
        click.echo(
            f"{count} process{'es' if count > 1 else ''} x {training.batch_size * training.accumulate} videos "
            f"a step = {count * training.batch_size * training.accumulate}; highest learning rate "
            f"{count} x {training.learning_rate:g} = {count * training.learning_rate:g}"
        )
    return source


def _what_to_train(
    what: Path, dataset: str | None, settings: tuple[str, ...], overrides: dict[str, Any]
) -> tuple[Plan, StudyRecipe, RunSettings, Path | None]:
    """Return the plan, the recipe to train it by and how, and the weights it has already."""
    from dynsearch.plan.shipped import find_plan
    from dynsearch.study.recipe_file import load_recipe, recipe_for

    overrides["max_gflops"] = overrides.pop("budget")
    if what.is_dir():
        from dynsearch.export import Bundle

        bundle = Bundle.load(what)
        own = str(what / "recipe.yaml")
        recipe, run = load_recipe(own, settings=settings, overrides=overrides, from_bundle=True)
        alone = recipe.one_shot.model_copy(update={"finish_epochs": None})
        return bundle.plan, recipe.model_copy(update={"one_shot": alone}), run, bundle.weights
    if dataset is None:
        raise click.UsageError("A plan file needs --dataset, whose recipe says how to train.")
    plan = find_plan(str(what))
    recipe, run = load_recipe(recipe_for(dataset), settings=settings, overrides=overrides)
    kept = recipe.frame_cache
    if kept and (kept.size < plan.image_size or kept.num_frames < plan.num_frames):
        click.echo(
            "dynsearch: no frames are kept, for the recipe's are fewer or smaller than the plan's", err=True
        )
        recipe = recipe.model_copy(update={"frame_cache": None})
    return plan, recipe, run, None
