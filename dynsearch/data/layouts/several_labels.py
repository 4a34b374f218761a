"""Records with several classes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dynsearch.data.records import VideoRecord


def multi_label_record(video_id: str, path: Path, labels: Iterable[int]) -> VideoRecord:
    """Return the record of a video with the classes ``labels``, of which there is at least one."""
    rising = tuple(sorted(set(labels)))
    return VideoRecord(video_id, path, rising[0], labels=rising)
