"""What ``dynsearch evaluate`` and ``dynsearch score`` share: both measure a trained network on a data set."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from dynsearch.cli import options

_FILE = options.UserPath(path_type=Path)


def measuring(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command its argument, a bundle or a plan, and the options of how that is measured."""
    for decorate in (
        options.as_json,
        options.quiet,
        options.reader,
        options.allow_outside,
        options.data_root,
        options.plugins,
        options.runtime,
        click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True),
        click.option(
            "--max-gflops",
            type=options.BUDGET,
            multiple=True,
            help="Mean GFLOPs per video. Of a PLAN: the budget of its thresholds. Default: the cheapest that are as "
            "accurate on calibration as the full network. Of a BUNDLE: another budget than its own.",
        ),
        click.option(
            "--max-ms",
            type=options.BUDGET_MS,
            multiple=True,
            help="The same in milliseconds; a PLAN is costed by a table of times of this machine.",
        ),
        click.option(
            "--activation",
            type=click.Choice(["softmax", "sigmoid"]),
            help="With a PLAN: what made probabilities of logits in its training. Default: as the labels say.",
        ),
        click.option(
            "--labels",
            "class_names",
            type=_FILE,
            help="With a PLAN: file of its classes' names, one a line, as its logits are. Default: the data set's.",
        ),
        click.option(
            "--resize",
            type=click.Choice(["crop", "squeeze", "letterbox"]),
            help="With a PLAN: how frames become squares, as in training.resize. Default: crop.",
        ),
        click.option(
            "--sampling",
            type=click.Choice(["segments", "ends", "padded"]),
            help="With a PLAN: which frames it sees, as in training.sampling. Default: segments.",
        ),
        options.weights,
        click.option("--dataset", help="Data set. Default: the bundle's."),
        click.argument("what", metavar="BUNDLE|PLAN", type=options.UserPath()),
    ):
        command = decorate(command)
    return command


def measured(
    function: str, *, quiet: bool, as_json: bool, reader: str | None,
    allow_outside: bool | None, **given: Any,
) -> Any:  # fmt: skip
    """Call ``evaluate`` or ``score`` with what is given; what is wrong with names is said before torch is imported."""
    from dynsearch.data.catalogue import check_root
    from dynsearch.export.bundle import Bundle
    from dynsearch.plan.shipped import find_plan

    what, dataset, root = given["what"], given["dataset"], given["data_root"]
    if given["weights"] is None:
        bundle = Bundle.load(what)
        dataset, root = dataset or bundle.recipe.dataset, bundle.root(dataset, root)
    elif dataset is None:
        raise click.UsageError("A plan with --weights needs --dataset.")
    elif Path(what).is_dir():
        raise click.UsageError("A bundle has its own weights; --weights goes with a PLAN.")
    else:
        find_plan(what)
    check_root(dataset, root)

    from dynsearch.api.bars import counting
    from dynsearch.study.run_settings import RunSettings

    run = RunSettings.model_validate({"reader": reader or "auto", "allow_outside": bool(allow_outside)})
    call = getattr(importlib.import_module(f"dynsearch.api.{function}"), function)
    with counting(f"{function.removesuffix('e')}ing", quiet=quiet or as_json) as progress:
        return call(
            given.pop("what"), **given, run=run, progress=progress,
            warn=lambda text: click.echo(f"dynsearch: {text}", err=True),
        )  # fmt: skip
