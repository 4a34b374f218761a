"""``dynsearch dashboard``: optuna-dashboard on a study."""

from pathlib import Path
from typing import Any

import click

from dynsearch.cli import options


@click.command(short_help="Open optuna-dashboard on a study, or on several.")
@click.argument("studies", nargs=-1, required=True, metavar="STUDY...")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@options.plugins
@options.studies_root
def dashboard(studies: tuple[str, ...], port: int, host: str, studies_root: Path) -> None:
    """Open optuna-dashboard on STUDY, finished or still running.

    Several studies are shown side by side as they are now, copied: the page's Compare does the rest.
    """
    import socket

    from dynsearch.errors import StudyError
    from dynsearch.study.artifacts import SeveralStores, artifact_store
    from dynsearch.study.compared import copied
    from dynsearch.study.folder import StudyFolder
    from dynsearch.study.record import open_record

    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StudyError(
                f"can't listen on {host}:{port}: {error.strerror}", hint="Give another --port"
            ) from error
    folders = [StudyFolder.existing(name, studies_root) for name in dict.fromkeys(studies)]
    stores = [artifact_store(folder) for folder in folders]
    storage: Any
    store: Any
    storage, store = open_record(folders[0])._storage, stores[0]
    if len(folders) > 1:
        storage, store = copied(folders), SeveralStores(stores)
    if host not in ("127.0.0.1", "localhost", "::1"):
        click.echo(f"Listening on {host}: anyone who reaches it can read and change the study.", err=True)
    from optuna_dashboard import run_server

    click.echo(f"http://{host}:{port}/ (stop with Ctrl-C)")
    run_server(storage, host=host, port=port, artifact_store=store)
