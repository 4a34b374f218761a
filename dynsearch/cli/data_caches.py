"""``dynsearch data caches``: the decoded frames that are kept on this machine, and how to be rid of them."""

import json
import time
from dataclasses import asdict

import click

from dynsearch.cli import options

_WHY = (
    "Frames are kept as they are: videos x frames x size x size x 3 bytes. Another data set, split, seed, share for "
    "calibration, number of frames or size is another cache. One whose videos or reader changed is never read again, "
    "and removed when the next one of its videos is made; others stay until they are removed here. They are made "
    "again where a command needs them."
)


@click.command()
@click.option(
    "--remove",
    "names",
    multiple=True,
    metavar="NAME",
    help="Remove this cache, or all whose names begin so: motions, motions-train. May be repeated.",
)
@click.option("--all", "every", is_flag=True, help="Remove all caches that are not in use.")
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Remove those, of --remove or of all, that were last used before as many days.",
)
@options.as_json
def caches(names: tuple[str, ...], every: bool, older_than: float | None, as_json: bool) -> None:
    """List the frame caches: of which videos, how large, last used when; or remove some.

    What a running study uses is refused by name, and kept by --all and --older-than.
    """
    from dynsearch.data.cache_files import choose_caches, list_caches, remove_cache
    from dynsearch.data.frame_cache import cache_folder
    from dynsearch.display.tables import format_table
    from dynsearch.errors import InputError

    if names and every:
        raise click.UsageError("--remove and --all exclude each other.")
    there = list_caches()
    removing = bool(names) or every or older_than is not None
    chosen = choose_caches(there, names, older_than=older_than)
    busy = [cache for cache in chosen if cache.in_use]
    if removing and names and busy:
        raise InputError(
            f"{', '.join(cache.name for cache in busy)} is in use",
            where=str(cache_folder()),
            hint="Wait for the command that uses it to end; nothing was removed",
        )
    gone = [cache for cache in chosen if not cache.in_use] if removing else []
    for cache in gone:
        remove_cache(cache)
    if as_json:
        rows = [asdict(cache) | {"path": str(cache.path)} for cache in (gone if removing else there)]
        click.echo(json.dumps({"removed" if removing else "caches": rows}, indent=1))
        return
    if removing:
        for cache in busy:
            click.echo(f"kept, for it is in use: {cache.name}")
        click.echo(f"removed {len(gone)} of {len(there)} frame caches, {_gb(sum(c.bytes for c in gone))}")
        return
    table = [
        {
            "cache": c.name,
            "size": _gb(c.bytes),
            "last used": "now" if c.in_use else time.strftime("%Y-%m-%d %H:%M", time.localtime(c.used)),
            "videos in": c.videos,
        }
        for c in there
    ]
    if table:
        click.echo(format_table(table) + "\n")
    click.echo(f"{len(there)} frame caches, {_gb(sum(c.bytes for c in there))} in {cache_folder()}")
    click.echo(_WHY)


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
