"""Frames of a data set's record: of its whole file, or of the seconds that its annotation names."""

import functools
import os
from bisect import bisect_left
from pathlib import Path

from dynsearch.data.frame_index import REPLACE, Choose, Frames, opened, read_frame_index
from dynsearch.data.reader import num_frames, read_frames
from dynsearch.data.records import VideoRecord
from dynsearch.data.video_files import checked_path
from dynsearch.errors import VideoError


def num_record_frames(record: VideoRecord, *, reader: str = "auto") -> int:
    """Return how many frames a record has.

    Raises:
        VideoError: Its file can't be read, or none of its frames lie in the record's seconds.
    """
    return num_frames(record.path, reader=reader) if record.seconds is None else len(_segment(record, reader))


def read_record(record: VideoRecord, choose: Choose, *, strict: bool, reader: str = "auto") -> Frames:
    """Return frames of a record, uint8 (T, H, W, 3), RGB; ``choose`` gives T indices from its number of frames.

    Raises:
        VideoError: The file can't be read, or none of its frames lie in the record's seconds.
    """
    if record.seconds is None:
        return read_frames(record.path, choose, strict=strict, reader=reader)
    segment = _segment(record, reader)
    indices = [segment[index] for index in choose(len(segment))]
    return read_frames(record.path, indices, strict=strict, reader=reader)


def _segment(record: VideoRecord, reader: str) -> range:
    """Return the indices of the frames shown in the record's seconds."""
    assert record.seconds is not None
    start, end = record.seconds
    path = checked_path(record.path)
    status = os.stat(path)
    times = _frame_seconds(path, status.st_size, status.st_mtime_ns)
    found = range(bisect_left(times, start), bisect_left(times, end))
    if not found:
        raise VideoError(
            f"has no frame from second {start:g} to {end:g}: it lasts {times[-1]:.2f} seconds",
            where=str(record.path),
            hint="Correct start and end in the annotation file, or replace the file",
        )
    return found


@functools.lru_cache(maxsize=256)
def _frame_seconds(path: Path, size: int, changed_ns: int) -> list[float]:
    """Return when each frame is shown, in seconds after the first, rising."""
    with opened(path) as (container, stream):
        shown = [packet for packet in container.demux(stream) if packet.size and not packet.is_discard]
        times = sorted(float(packet.pts * stream.time_base) for packet in shown if packet.pts is not None)
        rate = float(stream.average_rate or 0)
    if read_frame_index(path).safe:
        return [time - times[0] for time in times]
    if rate <= 0:
        raise VideoError("says neither when its frames are shown nor its rate", where=str(path), hint=REPLACE)
    return [index / rate for index in range(num_frames(path, reader="pyav"))]
