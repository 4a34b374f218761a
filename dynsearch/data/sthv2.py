"""Something-Something-v2's official layout, which the embedded motions data set uses too.

A folder ``20bn-something-something-v2`` holds one file per video, named by its id. The annotation files
are ``labels.json`` (class name without brackets -> index, as a string), ``train.json`` and
``validation.json`` (a list of ``{"id", "label", "template", "placeholders"}``, the template with square
brackets around the placeholders), under the names of either release: ``something-something-v2-train.json``
or ``labels/train.json``. The official ``test.json`` has ids only and no labels, so, as everywhere in the
literature, the validation videos are our test split.

Source: the data set's own files, as downloaded from its page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dynsearch.data.records import Annotations, VideoRecord
from dynsearch.data.video_folder import VideoFolder
from dynsearch.errors import DataError, shown
from dynsearch.files import read_json

VIDEO_FOLDER = "20bn-something-something-v2"
_NAMES = (
    "labels/{}.json",
    "{}.json",
    "something-something-v2-{}.json",
    "labels/something-something-v2-{}.json",
)
_PARTS = ("labels", "train", "validation")


def read_sthv2(root: Path, *, how_to_get: str, allow_missing: bool = False) -> Annotations:
    """Read the annotation files of a folder in this layout and find the video files.

    Args:
        root: The folder that holds ``20bn-something-something-v2``.
        how_to_get: What the user should download, for the message when something is missing.
        allow_missing: Accept annotated videos without a file; their records have the path it should have.

    Raises:
        DataError: Annotation files or the folder of videos are missing (one message for all), or videos
            are, or an annotation file is not in the format above.
    """
    files = _find_files(root, how_to_get)
    labels = _read_labels(files["labels"])
    folder = VideoFolder(root / VIDEO_FOLDER)
    parts = {name: _read_part(files[name], files["labels"], labels, folder) for name in _PARTS[1:]}
    if not allow_missing:
        folder.check_missing([record for records in parts.values() for record in records], hint=how_to_get)
    return Annotations(
        class_names=tuple(sorted(labels, key=labels.__getitem__)),
        train=parts["train"],
        test=parts["validation"],
    )


def _find_files(root: Path, how_to_get: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    looked_for: list[str] = []
    for part in _PARTS:
        names = [name.format(part) for name in _NAMES]
        existing = [root / name for name in names if (root / name).is_file()]
        if existing:
            found[part] = existing[0]
        else:
            looked_for.append(" or ".join(names))
    if not (root / VIDEO_FOLDER).is_dir():
        looked_for.append(f"{VIDEO_FOLDER}/ with the video files")
    if looked_for:
        missing = "; ".join(looked_for)
        raise DataError(
            f"the data set is not complete there, missing: {missing}", where=str(root), hint=how_to_get
        )
    return found


def _read_labels(path: Path) -> dict[str, int]:
    """Return class name -> index from labels.json, and make sure that the indices are 0..K-1."""
    content = read_json(path, DataError)
    expected = 'expected {"class name": "index", ...}'
    if not isinstance(content, dict) or not content:
        raise DataError(f"{expected}, got {shown(content)}", where=str(path))
    odd = [index for index in content.values() if not _is_index(index)]
    if odd:
        raise DataError(f"{expected}, and an index is not a whole number: {shown(odd[0])}", where=str(path))
    labels = {name: int(index) for name, index in content.items()}
    if sorted(labels.values()) != list(range(len(labels))):
        raise DataError(f"the indices must be 0 to {len(labels) - 1}, each once", where=str(path))
    return labels


def _read_part(
    path: Path, labels_path: Path, labels: Mapping[str, int], folder: VideoFolder
) -> list[VideoRecord]:
    """Return the records of train.json or validation.json, in the file's order."""
    content = read_json(path, DataError)
    if not isinstance(content, list) or not content:
        raise DataError(f"expected a list of videos, got {shown(content)}", where=str(path))
    records: list[VideoRecord] = []
    unknown: dict[str, None] = {}
    for number, entry in enumerate(content, start=1):
        video_id, name = _read_entry(entry, number, path)
        if name in labels:
            records.append(VideoRecord(video_id, folder.find(video_id, where=str(path)), labels[name]))
        else:
            unknown[name] = None
    if unknown:
        first = ", ".join(shown(name) for name in list(unknown)[:10])
        raise DataError(
            f"{len(unknown)} classes are not in {labels_path.name}, first {first}",
            where=str(path),
            hint=f"Take {path.name} and {labels_path.name} from the same release",
        )
    return records


def _read_entry(entry: Any, number: int, path: Path) -> tuple[str, str]:
    """Return (video id, class name) of one entry; the class name is the template without brackets."""
    if isinstance(entry, dict):
        video_id, template = entry.get("id"), entry.get("template")
        if isinstance(video_id, str | int) and not isinstance(video_id, bool) and isinstance(template, str):
            return str(video_id), template.replace("[", "").replace("]", "")
    raise DataError(
        f'entry {number} should be {{"id": ..., "template": ...}}, got {shown(entry)}', where=str(path)
    )


def _is_index(value: Any) -> bool:
    return type(value) is int or (isinstance(value, str) and re.fullmatch("[0-9]{1,6}", value) is not None)
