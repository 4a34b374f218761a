"""``dynsearch study list``, ``delete`` and ``restart``: the studies there are, and making room."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynsearch.cli import options

if TYPE_CHECKING:
    from dynsearch.study.folder import StudyFolder

_yes = click.option("--yes", is_flag=True, help="Don't ask.")
_root = click.option(
    "--studies",
    "studies_root",
    type=options.UserPath(path_type=Path, file_okay=False),
    callback=lambda ctx, param, root: (
        root or (ctx.parent.params["studies_root"] if ctx.parent else Path("studies"))
    ),
    help="Folder that holds the studies.  [default: studies]",
)


@click.command("list", short_help="List the studies there are.")
@options.plugins
@_root
@options.as_json
def list_(studies_root: Path, as_json: bool) -> None:
    """List the studies: data set, budget, trials, the best point on calibration, and when the last trial ended."""
    from dynsearch.study.folder import StudyFolder
    from dynsearch.study.listing import study_row

    rows = [study_row(folder) for folder in StudyFolder.all_in(studies_root)]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
    elif not rows:
        click.echo(f"There are no studies in {studies_root}.")
    else:
        from dynsearch.display.tables import format_table

        click.echo(format_table([_shown(row) for row in rows]))


@click.command(short_help="Remove a study: its record and its files.")
@click.argument("study")
@_yes
@options.plugins
@_root
def delete(study: str, yes: bool, studies_root: Path) -> None:
    """Remove STUDY: its record, in a database server too, and the files it wrote. What else its folder holds stays."""
    from dynsearch.study.folder import StudyFolder
    from dynsearch.study.removal import remove_study

    folder = StudyFolder.existing(study, studies_root)
    _ask(folder, "Remove", yes=yes)
    others = remove_study(folder)
    click.echo(
        f"{folder.path}: removed"
        + (f", but for what it did not write: {', '.join(others)}" if others else "")
    )


@click.command(short_help="Begin a study anew, with the settings it has.")
@click.argument("study")
@_yes
@options.plugins
@options.data_root
@_root
@options.quiet
@options.verbose
@options.as_json
def restart(
    study: str,
    yes: bool,
    data_root: Path | None,
    studies_root: Path,
    quiet: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Remove what STUDY has, as delete does, and run it anew under its name with the settings in its study.yaml."""
    from dynsearch.api.study import run_recipe
    from dynsearch.cli.frontier import print_frontier
    from dynsearch.errors import Stopped
    from dynsearch.study.folder import StudyFolder
    from dynsearch.study.origin import Origin, last_command, way_on
    from dynsearch.training.stopping import stopped_by_sigterm

    folder = StudyFolder.existing(study, studies_root)
    recipe, run, origin = folder.recipe(), folder.run_settings(), Origin.of_study(folder)
    _ask(folder, "Begin anew", yes=yes)
    click.get_current_context().with_resource(stopped_by_sigterm())
    try:
        found = run_recipe(
            recipe,
            run,
            folder,
            progress=not (quiet or as_json),
            verbose=verbose,
            data_root=data_root or (Path(origin.data_root) if origin else None),
            command=last_command(folder) or f"dynsearch study --dataset {recipe.dataset}",
            anew=True,
        )
    except (KeyboardInterrupt, Stopped) as error:  # This command again would begin anew again.
        click.echo(f"\ndynsearch: interrupted. {way_on(folder)}", err=True)
        raise click.exceptions.Exit(130 if isinstance(error, KeyboardInterrupt) else 0) from error
    print_frontier(found.results, folder, recipe.budget, as_json=as_json)


def _ask(folder: StudyFolder, what: str, *, yes: bool) -> None:
    """Ask whether a study may be removed.

    Raises:
        UsageError: Nobody is there to answer.
        Exit: The answer is no.
    """
    from dynsearch.study.listing import size_of, study_row
    from dynsearch.study.removal import in_use

    if folder.is_running:
        raise in_use(folder)
    if yes:
        return
    shown = _shown(study_row(folder))
    click.echo(f"{folder.path}: {shown['trials']}; {size_of(folder) / 1e6:,.1f} MB", err=True)
    try:
        answer = click.confirm(f"{what}? What was trained is lost", err=True)
    except (click.Abort, OSError, RuntimeError) as error:  # Standard input may be closed.
        raise click.UsageError("nobody answered, and nothing was removed. Give --yes.") from error
    if not answer:
        click.echo("Nothing was removed.", err=True)
        raise click.exceptions.Exit(1)


def _shown(row: dict[str, Any]) -> dict[str, str]:
    from dynsearch.measures import COST_MEASURES

    measure = COST_MEASURES[row["measure"]] if row["measure"] else None
    trials = ", ".join(
        f"{row[state]} {state}" for state in ("done", "running", "interrupted", "failed") if row[state]
    )
    best = (
        ""
        if row["top1"] is None or measure is None
        else f"{100 * row['top1']:.1f}% at {measure.text(row['cost'])}"
    )
    return {
        "study": row["name"],
        "data set": row["dataset"] or "",
        "budget": "" if measure is None else measure.text(row["budget"]),
        "trials": row["problem"] or trials or "none",
        "best on calibration": best,
        "when": row["when"] or "",
    }
