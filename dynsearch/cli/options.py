"""Options that several commands share."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynsearch.errors import shown

if TYPE_CHECKING:
    from dynsearch.plan.starting_weights import Weights
    from dynsearch.study.recipe import StudyRecipe


class UserPath(click.Path):
    """A path in which ``~`` is the user's home, where the shell left it too, as in ``--csv=~/frontier.csv``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path that is meant."""
        return super().convert(os.path.expanduser(value), param, ctx)


class WeightsCommand(click.Command):
    """A command whose ``--weights`` may be followed by several ``NAME=FILE``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments, with the option before each of them."""
        spread, last = [], ""
        for argument in args:
            name, equals, _ = argument.partition("=")
            if follows := bool(last == "file" and equals and name.isidentifier()):
                spread.append("--weights")
            spread.append(argument)
            last = "file" if follows or last == "--weights" or name + equals == "--weights=" else argument
        return super().parse_args(ctx, spread)


def _weights(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> Weights | None:
    from dynsearch.plan.starting_weights import weights_of

    return weights_of(texts)


weights = click.option(
    "--weights",
    multiple=True,
    metavar="FILE | NAME=FILE ...",
    callback=_weights,
    help="File that the plan's backbone starts from, or the whole network is in; of a network of several backbones "
    "files by their names, as global=FILE local=FILE.",
)


data_root = click.option(
    "--data-root",
    type=UserPath(path_type=Path),
    help="Folder of the data set itself. Default: $DYNSEARCH_HOME/data/NAME; $DYNSEARCH_HOME is ~/.cache/dynsearch.",
)
reader = click.option(
    "--reader",
    type=click.Choice(["auto", "decord", "pyav"]),
    help="What decodes video files. auto, the default: decord for long files that it counts right, else PyAV.",
)
allow_outside = click.option(
    "--allow-outside",
    is_flag=True,
    default=None,
    help="Take videos that lie outside the data root, by links or paths in lists that you trust.",
)
studies_root = click.option(
    "--studies",
    "studies_root",
    type=UserPath(path_type=Path, file_okay=False),
    default=Path("studies"),
    show_default=True,
    help="Folder that holds the studies.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for a program to read.")
quiet = click.option("--quiet", is_flag=True, help="Show no progress, only the result.")
verbose = click.option("--verbose", is_flag=True, help="Also a line for every epoch.")
loggers = click.option(
    "--logger",
    "loggers",
    multiple=True,
    type=click.Choice(["wandb", "mlflow"]),
    help="Report to Weights & Biases or MLflow too (extras of their own). May be repeated.",
)
_RUNTIMES = click.Choice(["auto", "eager", "compile", "graphs", "onnx"])
runtime = click.option(
    "--runtime",
    type=_RUNTIMES,
    default="auto",
    show_default=True,
    help="What runs the network: as it is, compiled by torch, CUDA graphs, or onnxruntime. auto: graphs on a GPU, else "
    "eager. The answers are the same.",
)
max_waiting = click.option(
    "--max-waiting",
    type=click.IntRange(min=0),
    help="Videos that may wait between two exits, in memory, until a full batch goes on. Default: four batches.",
)
force = click.option(
    "--force",
    is_flag=True,
    help="Write over what dynsearch did not make too; never over what the command reads.",
)
settings = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Change a field of the recipe, for instance training.epochs=3. May be repeated.",
)


def _import(ctx: click.Context, param: click.Parameter, names: tuple[str, ...]) -> None:
    """Import modules of the user's before any other option is looked at."""
    if not ctx.resilient_parsing:
        from dynsearch.plugins import import_from_environment, import_plugins

        import_from_environment()
        import_plugins(names)


plugins = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    metavar="MODULE|FILE.py",
    is_eager=True,
    expose_value=False,
    callback=_import,
    help="Import a module of your own, which registers a family, solver, data set or another part. May be repeated.",
)


class _Budget(click.ParamType):
    """A finite number above zero."""

    name = "float"

    def __init__(self, unit: str = " of GFLOPs") -> None:
        self.unit = unit

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            budget = float(value)
        except ValueError:
            budget = math.nan
        if not 0 < budget < math.inf:
            self.fail(f"must be a number{self.unit} above zero, got {shown(value)}", param, ctx)
        return budget


BUDGET, BUDGET_MS = _Budget(), _Budget(" of milliseconds")
budget = click.option(
    "--max-gflops",
    "budget",
    type=BUDGET,
    help="Budget: mean GFLOPs (10^9 multiply-accumulates) per video.",
)
any_budget = click.option(
    "--budget",
    "any_budget",
    type=_Budget(""),
    help="The budget where costs are in another unit: mean cost per video.",
)
max_ms = click.option(
    "--max-ms",
    type=BUDGET_MS,
    help="Budget: mean milliseconds per video, as measured on a device.",
)


def timing(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of what measured time is of; :func:`asked_of` takes them from those given."""
    for decorate in (
        click.option(
            "--accept",
            is_flag=True,
            help="Take a table of times of another device, dtype or number of threads.",
        ),
        click.option(
            "--runtime",
            type=_RUNTIMES,
            help="Milliseconds: what runs the network. Default: auto, which is graphs on a GPU, else eager.",
        ),
        click.option(
            "--batch", type=click.IntRange(min=1), help="Milliseconds: videos at a time. Default: 1."
        ),
        click.option(
            "--device",
            help="Milliseconds: on what, for instance cpu or cuda:0. Default: the first GPU, else the CPU.",
        ),
    ):
        command = decorate(command)
    return command


max_p95_ms = click.option(
    "--max-p95-ms",
    type=BUDGET_MS,
    help="Also: 95% of videos within so many milliseconds, by the times of the exits at which they leave.",
)


def budgets(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command that chooses from a study the options of budgets; :func:`under` takes them from those given."""
    for decorate in (
        timing,
        click.option(
            "--measure", metavar="NAME", help="Show costs in gflops, ms or your own; nothing is trained."
        ),
        any_budget,
        max_p95_ms,
        max_ms,
        budget,
    ):
        command = decorate(command)
    return command


def under(recipe: StudyRecipe, given: dict[str, Any]) -> tuple[StudyRecipe | None, float | None]:
    """Take what :func:`budgets` added, and return what :func:`dynsearch.study.other_costs.under` does."""
    from dynsearch.study import other_costs

    names = {"gflops": "budget", "ms": "max_ms", "p95_ms": "max_p95_ms"}
    budgets = {name: given.pop(option) for name, option in names.items()}
    own = {name: given.pop(name) for name in ("measure", "any_budget", "accept")}
    return other_costs.under(recipe, budgets, asked=asked_of(given), **own)


def asked_of(given: dict[str, Any]) -> dict[str, Any]:
    """Take what :func:`timing` added from a command's options, and return what was given of it, without ``accept``."""
    return {name: value for name in ("device", "batch", "runtime") if (value := given.pop(name)) is not None}


def ms_settings(given: dict[str, Any]) -> tuple[str, ...]:
    """Take what :func:`timing` added, but for ``accept``, and return it as settings of a recipe's section ``ms``."""
    return tuple(f"ms.{name}={value}" for name, value in asked_of(given).items())


def accepting(recipe: StudyRecipe, settings: Sequence[str], *, accept: bool) -> StudyRecipe:
    """Return the recipe, taking a table of times of another machine if that is wished.

    Raises:
        click.UsageError: What milliseconds are of is said, but there is no budget of them.
    """
    from dataclasses import replace

    from dynsearch.timing.tables import TableCosts

    costs = recipe.measure.costs
    if isinstance(costs, TableCosts):
        return recipe.model_copy(update={"measure": replace(costs, accept=accept).measure})
    if accept or any(setting.startswith("ms.") for setting in settings):
        raise click.UsageError("--device, --batch, --runtime and --accept are of milliseconds: add --max-ms.")
    return recipe
