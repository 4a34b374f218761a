"""``dynsearch predict``: labels for video files."""

from __future__ import annotations

import json
from pathlib import Path

import click

from dynsearch.cli import options


@click.command(short_help="Label videos with a bundle.")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("videos", metavar="VIDEO...", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.as_json
def predict(bundle: Path, videos: tuple[Path, ...], as_json: bool) -> None:
    """Label each VIDEO with BUNDLE, and show the exit used and the GFLOPs spent.

    A video that can't be read is reported and the others go on; the exit code is then 1. With --json, one
    line of JSON for each video.
    """
    from dataclasses import asdict

    from dynsearch.errors import VideoError
    from dynsearch.export.loaded import LoadedNetwork

    loaded = LoadedNetwork(bundle)
    failed = 0
    for video in videos:
        try:
            answer = loaded.predict(video)
        except VideoError as error:
            failed += 1
            click.echo(f"dynsearch: {error}", err=True)
            if as_json:
                click.echo(json.dumps({"video": str(video), "error": str(error)}))
            continue
        if as_json:
            click.echo(json.dumps({"video": str(video), **asdict(answer)}))
        else:
            click.echo(
                f"{video}: {answer.label} ({100 * answer.probability:.1f}%), exit {answer.exit} of "
                f"{answer.num_exits}, {answer.frames} frames, {answer.gflops:.4g} GFLOPs"
            )
    if failed:
        raise SystemExit(1)
