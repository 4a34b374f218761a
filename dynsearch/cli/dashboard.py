"""``dynsearch dashboard``: optuna-dashboard on a study."""

from pathlib import Path

import click

from dynsearch.cli import options


@click.command(short_help="Open optuna-dashboard on a study.")
@click.argument("study")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@options.plugins
@options.studies_root
def dashboard(study: str, port: int, host: str, studies_root: Path) -> None:
    """Open optuna-dashboard on STUDY, finished or still running."""
    from dynsearch.errors import StudyError
    from dynsearch.study.artifacts import artifact_store
    from dynsearch.study.folder import StudyFolder
    from dynsearch.study.record import open_record

    folder = StudyFolder.existing(study, studies_root)
    storage = open_record(folder)._storage
    if host not in ("127.0.0.1", "localhost", "::1"):
        click.echo(f"Listening on {host}: anyone who reaches it can read and change the study.", err=True)
    from optuna_dashboard import run_server

    click.echo(f"http://{host}:{port}/ (stop with Ctrl-C)")
    try:
        run_server(storage, host=host, port=port, artifact_store=artifact_store(folder))
    except OSError as error:
        raise StudyError(
            f"can't listen on {host}:{port}: {error.strerror}", hint="Give another --port"
        ) from error
