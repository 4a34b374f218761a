"""``dynsearch study``: run or resume a study."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from dynsearch.cli import options

if TYPE_CHECKING:
    from dynsearch.study.recipe import StudyRecipe
    from dynsearch.study.run_settings import RunSettings


class _StudyGroup(click.Group):
    """The command that runs a study, and beside it those that list and remove studies."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["list", "delete", "restart"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from dynsearch.cli.studies import delete, list_, restart

        return {"list": list_, "delete": delete, "restart": restart}.get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None:
            raise click.UsageError(
                f"No such command {args[0]!r}. A study is begun or resumed with --dataset DATASET --name NAME; beside "
                f"that there are {', '.join(self.list_commands(ctx))}.",
                ctx,
            )
        given = [
            param.opts[0]
            for param in self.params
            if param.name != "studies_root"
            and ctx.get_parameter_source(str(param.name)) is ParameterSource.COMMANDLINE
        ]
        if given:
            raise click.UsageError(f"{given[0]} is for running a study; {args[0]} does not take it.", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=_StudyGroup,
    invoke_without_command=True,
    subcommand_metavar="[list | delete | restart]",
    short_help="Search plans and thresholds under a budget; resume a study; list and delete studies.",
    epilog="Killed at any moment, the same command goes on where the study stopped.\n\n"
    "Example: dynsearch study --dataset sthv2 --data-root ~/sthv2 --max-gflops 40",
)
@click.option("--dataset", help="Data set; its recipe studies/DATASET.yaml is used.")
@click.option("--recipe", "recipe_file", help="Another recipe: a shipped name, or a .yaml file.")
@options.budget
@options.max_ms
@options.max_p95_ms
@options.timing
@click.option("--space", help="Search space: a shipped name, or a .yaml file.")
@click.option(
    "--families", metavar="NAMES", help="Kinds of networks: grid, adafocus, sfc, tsn, tsm; joined by commas."
)
@click.option(
    "--strategy",
    type=click.Choice(["one-shot", "retrain"]),
    help="one-shot (default for grids): train one network for all plans, search on its scores, train the best "
    "plans alone. "
    "retrain: train every proposed plan.",
)
@click.option("--retrain", type=click.IntRange(min=0), help="one-shot: plans that are trained alone.")
@click.option(
    "--warm-start", type=click.Choice(["one-shot", "backbone"]), help="one-shot: what they start from."
)
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    help="Where trials run. local: in processes on this machine; ray: by Ray Tune, here or on a cluster.",
)
@click.option("--ray-address", help="A running Ray cluster, auto or HOST:PORT. Default: start Ray here.")
@click.option("--gpus-per-trial", type=click.FloatRange(min=0), help="GPUs Ray sets aside for a trial.")
@click.option(
    "--workers-per-trial", type=click.IntRange(min=1), help="Processes that train a network together."
)
@click.option(
    "--storage",
    metavar="URL",
    help="The record: sqlite:///FILE, journal, journal:FILE or postgresql://USER@HOST/DATABASE. Default: SQLite in "
    "the study's folder. A password in it is not recorded.",
)
@click.option("--concurrent", type=click.IntRange(min=1), help="Trials under way at once. Default: 1.")
@click.option(
    "--trials", "num_trials", type=click.IntRange(min=1), help="Orders to screen; retrain: plans to train."
)
@click.option(
    "--pruner",
    type=click.Choice(["none", "asha", "hyperband"]),
    help="Stop trials early whose top-1 at the budget is not among the best third. Default: none.",
)
@click.option("--max-hours", type=float, help="Begin no further trial after this time.")
@click.option("--dry-run", is_flag=True, help="Say what the study would take here; begin nothing.")
@click.option("--name", help="Name of the study. Default: the recipe's name.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of everything random.")
@click.option("--solver", help="How thresholds are chosen. Default: the recipe's, else frontier.")
@click.option(
    "--confidence", help="Confidence measure of the thresholds. Default: the recipe's, else max-softmax."
)
@options.plugins
@options.settings
@options.data_root
@options.allow_outside
@options.reader
@options.studies_root
@options.loggers
@options.quiet
@options.verbose
@options.as_json
@click.pass_context
def study(
    ctx: click.Context,
    dataset: str | None,
    recipe_file: str | None,
    name: str | None,
    settings: tuple[str, ...],
    families: str | None,
    retrain: int | None,
    warm_start: str | None,
    data_root: Path | None,
    studies_root: Path,
    loggers: tuple[str, ...],
    quiet: bool,
    verbose: bool,
    as_json: bool,
    accept: bool,
    dry_run: bool,
    **overrides: Any,
) -> None:
    """Search exit placements, frame orders and thresholds under a budget.

    Trains one network with an exit on every cell of the grid, searches plans on its scores, trains the most
    promising ones alone, calibrates their thresholds on videos that neither training nor testing sees, and
    writes the frontier of accuracy against GFLOPs per video to studies/NAME/.
    """
    if ctx.invoked_subcommand is not None:
        return
    if dataset is None and recipe_file is None:
        raise click.UsageError("Give --dataset (for instance motions) or --recipe.")
    import shlex
    import sys

    from dynsearch.training.stopping import stopped_by_sigterm

    ctx.with_resource(stopped_by_sigterm())

    from dynsearch.plugins import imported
    from dynsearch.study.folder import StudyFolder
    from dynsearch.study.recipe_file import load_recipe, recipe_name

    overrides |= {"dataset": dataset, "loggers": loggers or None, "plugins": imported() or None}
    overrides["max_gflops"] = overrides.pop("budget")
    settings += options.ms_settings(overrides)
    if families is not None:
        overrides["families"] = [name.strip() for name in families.split(",")]
    if overrides["storage"] is not None:
        from dynsearch.study.storage_address import hide_password, without_password

        given, overrides["storage"] = overrides["storage"], without_password(overrides["storage"])
        hide_password(given, overrides["storage"])
    one_shot = {"retrain": retrain, "warm_start": warm_start}
    settings += tuple(f"one_shot.{field}={value}" for field, value in one_shot.items() if value is not None)
    recipe, run = load_recipe(recipe_file or str(dataset), settings=settings, overrides=overrides)
    recipe = options.accepting(recipe, settings, accept=accept)
    folder = StudyFolder.named(name or recipe_name(recipe_file or str(dataset)), studies_root)

    from dynsearch.data.catalogue import check_root

    check_root(recipe.dataset, data_root)

    if dry_run:
        _print_price(recipe, run, data_root, as_json=as_json)
        return
    from dynsearch.api.study import run_recipe

    study = run_recipe(
        recipe,
        run,
        folder,
        progress=not (quiet or as_json),
        verbose=verbose,
        data_root=data_root,
        command=shlex.join(["dynsearch", *sys.argv[1:]]),
    )

    from dynsearch.cli.frontier import print_frontier

    print_frontier(study.results, folder, recipe.budget, as_json=as_json)
    if not as_json:
        name = folder.name if studies_root == Path("studies") else shlex.quote(str(folder.path))
        budget = f"{recipe.budget:g}"
        click.echo(
            f"\nReport: {folder.path / 'report.html'}; open it in a browser to compare plans and choose a point.\n"
            f"Next: dynsearch export {name} {recipe.measure.option} {budget} --output {folder.name}-{budget}"
        )


def _print_price(recipe: "StudyRecipe", run: "RunSettings", data_root: Path | None, *, as_json: bool) -> None:
    from dynsearch.search.price import price_of
    from dynsearch.study.source import open_clips

    price = price_of(
        recipe, run, open_clips(recipe, data_root, run=run, write=None if as_json else click.echo)
    )
    click.echo(price.as_json() if as_json else price.text())
