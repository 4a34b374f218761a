"""``dynsearch report``: a study as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dynsearch.cli import options

if TYPE_CHECKING:
    from dynsearch.data.records import VideoRecord
    from dynsearch.study.folder import StudyFolder


@click.command(short_help="Write a study's report, one HTML page; or one of several studies.")
@click.argument("studies", nargs=-1, required=True, metavar="STUDY...")
@click.option(
    "--output",
    type=options.UserPath(path_type=Path, dir_okay=False),
    help="Default: report.html in the study's folder; of several, report-A-B.html beside their folders.",
)
@click.option(
    "--data-root",
    type=options.UserPath(path_type=Path),
    help="Folder of the data set, for pictures of videos. Default: where it was when the study ran.",
)
@options.plugins
@options.allow_outside
@options.studies_root
@options.force
def report(
    studies: tuple[str, ...],
    output: Path | None,
    data_root: Path | None,
    allow_outside: bool | None,
    studies_root: Path,
    force: bool,
) -> None:
    """Write the report of STUDY: frontier, chosen plan, exits, videos, classes and search, as one HTML page.

    The page needs no network. It is made from the study's files; where the data set is at hand, videos are shown. Of
    several studies the first is shown in full, the others beside it: on one chart, and their best points side by side.
    """
    from dynsearch.api.report import make_report
    from dynsearch.files import check_outputs
    from dynsearch.study.folder import StudyFolder

    folder, *others = (StudyFolder.existing(name, studies_root) for name in dict.fromkeys(studies))
    own = folder.path / "report.html"
    if others:
        own = folder.path.parent / f"report-{'-'.join(each.name for each in (folder, *others))}.html"
    path = output or own
    check_outputs([(path, "dynsearch report</title>")], [folder.path, data_root], force=force)
    records = _records(folder, data_root, allow_outside=bool(allow_outside))
    missing = make_report(folder, path, records, others=others)
    if missing:
        click.echo(f"{missing} videos have no picture: the data set or the file is not there", err=True)
    click.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def _records(folder: StudyFolder, data_root: Path | None, *, allow_outside: bool) -> list[VideoRecord]:
    """Return the study's test videos, or none where the data set is not at hand."""
    from dynsearch.data.catalogue import open_dataset
    from dynsearch.errors import DataError
    from dynsearch.study.origin import Origin

    origin, recipe = Origin.of_study(folder), folder.recipe()
    root = data_root or (Path(origin.data_root) if origin else None)
    if root is None or (data_root is None and not root.is_dir()):
        return []
    try:
        dataset = open_dataset(
            recipe.dataset,
            root,
            **recipe.splitting,
            allow_outside=allow_outside or folder.run_settings().allow_outside,
        )
    except DataError:
        if data_root is not None:
            raise
        return []
    return dataset.splits["test"]
