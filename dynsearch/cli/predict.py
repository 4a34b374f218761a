"""``dynsearch predict``: labels for videos and for streams."""

import os
from pathlib import Path

import click

from dynsearch.cli import options


@click.command(
    short_help="Label videos or a stream with a bundle.",
    epilog="A stream is cut into windows of --window seconds, and each gets a label as early as an exit is sure. "
    "With the frame order sequential, frames are computed as they arrive; other orders need a window's last "
    "frames early, so they answer when it is over.\n\n"
    "Examples: dynsearch predict net 'clips/**/*.mp4' --json; "
    "ffmpeg -i rtsp://camera -f mpegts - | dynsearch predict net - --stream",
)
@click.argument("bundle", type=options.UserPath(path_type=Path))
@click.argument("videos", metavar="VIDEO...", nargs=-1, required=True)
@click.option(
    "--stream", is_flag=True, help="Read VIDEO frame by frame: a file, '-' or a camera (/dev/video0)."
)
@click.option(
    "--window",
    type=click.FloatRange(min=0, min_open=True),
    default=4.0,
    show_default=True,
    help="Seconds of a stream that get one label; about the length of the videos trained on.",
)
@click.option(
    "--annotate",
    type=options.UserPath(path_type=Path),
    help="Also write the video with its labels to this .mp4 file.",
)
@options.budget
@options.max_ms
@options.any_budget
@options.force
@options.plugins
@options.reader
@options.runtime
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Videos that go through the network together.",
)
@options.max_waiting
@click.option(
    "--monitor",
    type=options.UserPath(dir_okay=False, path_type=Path),
    help="Count in this file where videos stop and what they cost, from run to run, and say when that leaves what was "
    "promised.",
)
@options.as_json
def predict(
    bundle: Path,
    videos: tuple[str, ...],
    stream: bool,
    window: float,
    annotate: Path | None,
    budget: float | None,
    max_ms: float | None,
    any_budget: float | None,
    force: bool,
    reader: str | None,
    runtime: str,
    batch_size: int,
    max_waiting: int | None,
    monitor: Path | None,
    as_json: bool,
) -> None:
    """Label each VIDEO with BUNDLE, and show the exit used and what it cost.

    Another budget than the bundle's own can be asked for where it holds all budgets (export --all-budgets).

    VIDEO is a file, a folder (all videos below it), or a pattern such as 'clips/*.mp4'. A video that can't be
    read is reported and the others go on; the exit code is then 1. With --json, one line of JSON for each.
    """
    if (stream or annotate) and len(videos) > 1:
        raise click.UsageError(
            f"{'--stream' if stream else '--annotate'} takes one VIDEO, got {len(videos)}."
        )
    if "-" in videos and not stream:
        raise click.UsageError("'-' is standard input, which needs --stream.")
    if stream and reader is not None:
        raise click.UsageError("--reader is for files; a stream is always read by PyAV.")
    if stream and (runtime not in ("auto", "eager") or max_waiting is not None):
        raise click.UsageError(
            "--runtime and --max-waiting are for files; a stream's frames are computed as they come."
        )
    if monitor and (budget, any_budget, max_ms) != (None, None, None):
        raise click.UsageError("--monitor is about the bundle's own budget; leave out the other one.")
    from dynsearch.export import Bundle

    loaded_bundle = Bundle.load(bundle)  # What is wrong with it is said before torch is imported.
    from dynsearch.cli import predict_run
    from dynsearch.data.video_sources import find_videos
    from dynsearch.export.annotate import OWN_VIDEO
    from dynsearch.export.loaded import LoadedNetwork
    from dynsearch.export.monitor import OWN_MONITOR, ExitMonitor, forget_others
    from dynsearch.files import check_outputs

    videos = tuple(map(os.path.expanduser, videos))
    paths = [] if stream else find_videos(videos)
    outputs = [(annotate, OWN_VIDEO), (monitor, OWN_MONITOR)]
    check_outputs(outputs, [bundle, *videos, *paths], force=force)
    if monitor and force:
        forget_others(monitor)
    counting = None if monitor is None else ExitMonitor(loaded_bundle, monitor)
    if stream:
        own = LoadedNetwork(bundle).at(budget, budget=any_budget, max_ms=max_ms)
        with predict_run.counted(counting):
            predict_run.label_stream(own, videos[0], window, annotate, counting, as_json=as_json)
        return
    if annotate and len(paths) > 1:
        raise click.UsageError(f"--annotate takes one VIDEO, got {len(paths)}.")
    loaded = LoadedNetwork(bundle, reader=reader, runtime=runtime).at(
        budget, budget=any_budget, max_ms=max_ms
    )
    name, _ = loaded.ready
    click.echo(f"dynsearch: runtime {name}", err=True)
    answers = loaded.predictions(paths, batch=batch_size, max_waiting=max_waiting)
    with predict_run.counted(counting):
        failed = predict_run.label_files(loaded, paths, answers, annotate, counting, as_json=as_json)
    if failed:
        raise SystemExit(1)
