"""What ``dynsearch predict`` does and prints."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click

from dynsearch.data.stream import stream_frames
from dynsearch.errors import VideoError
from dynsearch.export.annotate import AnnotatedVideo, annotated_video
from dynsearch.export.loaded import LoadedNetwork, Prediction
from dynsearch.export.monitor import ExitMonitor
from dynsearch.export.stream import WindowAnswer, answers_online, predict_stream


def label_files(
    loaded: LoadedNetwork,
    paths: Sequence[Path],
    answers: Iterable[Prediction | VideoError],
    annotate: Path | None,
    monitor: ExitMonitor | None = None,
    *,
    as_json: bool,
) -> int:
    """Print the answer for every video, and return how many could not be read."""
    failed = 0
    width = max(len(str(path)) for path in paths)
    if not as_json:
        click.echo(f"{'video':<{width}}  {_header(loaded)}")
    for path, answer in zip(paths, answers, strict=True):
        if isinstance(answer, VideoError):
            failed += 1
            click.echo(f"dynsearch: {answer}", err=True)
            if as_json:
                click.echo(json.dumps({"video": str(path), "error": str(answer)}))
            continue
        _count(monitor, answer)
        if as_json:
            click.echo(json.dumps({"video": str(path), **answer.measure.spelled(asdict(answer))}))
        else:
            click.echo(f"{path!s:<{width}}  {_row(answer)}")
        if annotate:
            _annotate_file(loaded, path, answer, annotate)
    return failed


def label_stream(
    loaded: LoadedNetwork,
    source: str,
    window: float,
    annotate: Path | None,
    monitor: ExitMonitor | None = None,
    *,
    as_json: bool,
) -> None:
    """Print the label of every window of a stream as soon as it is known.

    Raises:
        VideoError: The stream can't be read, or ended before any exit was met.
    """
    if not answers_online(loaded):
        click.echo(
            f"dynsearch: this network feeds frames in order {loaded.bundle.plan.frame_order}, so every window "
            "is computed when it is over; a plan of order sequential computes frames as they arrive",
            err=True,
        )
    if not as_json:
        click.echo(f"{'from':>8}  {'decided':>8}  {_header(loaded)}")
    num_answers = 0
    with _video(annotate) as video:
        lines: tuple[str, ...] = ("", "")
        for event in predict_stream(loaded, stream_frames(source), window=window):
            if isinstance(event, WindowAnswer):
                num_answers += 1
                lines = _lines(event.prediction)
                _count(monitor if event.complete else None, event.prediction)
                _print_window(event, as_json=as_json)
            elif video:
                video.add(event.seconds, event.rgb(), (f"{event.seconds:.1f} s", *lines))
    if not num_answers:
        raise VideoError(
            f"ended within {window:g} s, before an exit could answer",
            where=source,
            hint="Give a shorter --window, or read it without --stream",
        )


@contextmanager
def counted(monitor: ExitMonitor | None) -> Iterator[None]:
    """Keep what the monitor counted in the end, however that comes, and say it."""
    try:
        yield
    finally:
        if monitor is not None:
            monitor.keep()
            click.echo(f"dynsearch: {monitor.text()}", err=True)


def _count(monitor: ExitMonitor | None, answer: Prediction) -> None:
    if monitor is not None and (said := monitor.count(answer.exit - 1)):
        click.echo(f"dynsearch: {said}", err=True)


def _print_window(answer: WindowAnswer, *, as_json: bool) -> None:
    if as_json:
        values = asdict(answer)
        click.echo(json.dumps(values | answer.prediction.measure.spelled(values.pop("prediction"))))
    else:
        cut = "" if answer.complete else "  (the stream ended)"
        click.echo(f"{answer.start:7.2f}s  {answer.decided:7.2f}s  {_row(answer.prediction)}{cut}")


@contextmanager
def _video(path: Path | None) -> Iterator[AnnotatedVideo | None]:
    if path is None:
        yield None
        return
    with annotated_video(path) as video:
        yield video


def _annotate_file(loaded: LoadedNetwork, path: Path, answer: Prediction, annotate: Path) -> None:
    """Write the whole video with its label; frames the network looked at are marked."""
    num_shown = sum(1 for _ in stream_frames(str(path)))
    plan = loaded.bundle.plan
    centres = loaded.frames_taken(num_shown)
    fed = plan.frame_order.frame_indices(plan.frames_per_set)[: answer.frames]
    marked = {int(centres[i]) for i in fed}
    with annotated_video(annotate) as video:
        for i, frame in enumerate(stream_frames(str(path))):
            video.add(frame.seconds, frame.rgb(), _lines(answer), looked_at=i in marked)


def _header(loaded: LoadedNetwork) -> str:
    unit = loaded.network.measure.unit
    return f"{'label':<40}  {'sure':>6}  {'exit':>6}  {'frames':>6}  {unit:>8}"


def _row(answer: Prediction) -> str:
    return (
        f"{answer.label:<40}  {100 * answer.probability:5.1f}%  {f'{answer.exit}/{answer.num_exits}':>6}  "
        f"{answer.frames:>6}  {answer.cost:>8.4g}"
    )


def _lines(answer: Prediction) -> tuple[str, str]:
    return (
        f"{answer.label} ({100 * answer.probability:.0f}%)",
        f"exit {answer.exit} of {answer.num_exits}, {answer.frames} frames, {answer.cost:.3g} {answer.measure.unit}",
    )
