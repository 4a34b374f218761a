"""Records with several classes, and leaving out those whose file has vanished."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from dynsearch.data.layouts.video_tree import without_missing
from dynsearch.data.records import Annotations, VideoRecord


def multi_label_record(video_id: str, path: Path, labels: Iterable[int]) -> VideoRecord:
    """Return the record of a video with the classes ``labels``, of which there is at least one."""
    rising = tuple(sorted(set(labels)))
    return VideoRecord(video_id, path, rising[0], labels=rising)


def located(
    root: Path,
    class_names: tuple[str, ...],
    parts: Mapping[str, list[VideoRecord]],
    *,
    how_to_get: str,
    allow_missing: bool,
) -> Annotations:
    """Return annotations whose videos are there; the others are left out and listed.

    Args:
        root: The data root, for the message.
        class_names: K names.
        parts: The records of ``train`` and ``test``.
        how_to_get: What to download, for the message.
        allow_missing: Return annotated videos without a file too.

    Raises:
        DataError: All videos of a part are missing.
    """
    missing: list[VideoRecord] = []
    kept = dict(parts)
    if not allow_missing:
        for part, records in parts.items():
            gone = [record for record in records if not record.path.exists()]
            kept[part] = without_missing(records, gone, root=root, how_to_get=how_to_get, skip=True)
            missing += gone
    return Annotations(
        class_names=class_names,
        train=kept["train"],
        test=kept["test"],
        missing=tuple(record.video_id for record in missing),
    )
