"""Something-Something-v2's official layout, which the embedded motions data set uses too.

A folder ``20bn-something-something-v2`` holds one file per video, named by its id. The annotation files
are ``labels.json`` (class name without brackets -> index, as a string), ``train.json`` and
``validation.json`` (a list of ``{"id", "label", "template", "placeholders"}``, the template with square
brackets around the placeholders), under the names of either release: ``something-something-v2-train.json``
or ``labels/train.json``. The official ``test.json`` has ids only and no labels, so, as everywhere in the
literature, the validation videos are our test split.

Source: the data set's own files, as downloaded from its page.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dynsearch.data.layouts.text_files import check_labels, find_files
from dynsearch.data.layouts.video_tree import VideoTree
from dynsearch.data.records import Annotations, VideoRecord
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


def read_sthv2(root: Path) -> Annotations:
    """Read the annotation files of a folder in this layout and find the video files.

    Raises:
        DataError: Annotation files or the folder of videos are missing (one message for all), or an
            annotation file is not in the format above.
    """
    wanted = {part: [name.format(part) for name in _NAMES] for part in _PARTS}
    files = find_files(root, wanted, videos=VIDEO_FOLDER)
    labels = _read_labels(files["labels"])
    videos = VideoTree(root / VIDEO_FOLDER, depth=0)
    parts = {name: _read_part(files[name], files["labels"], labels, videos) for name in _PARTS[1:]}
    return Annotations(
        class_names=tuple(sorted(labels, key=labels.__getitem__)),
        train=parts["train"],
        test=parts["validation"],
    )


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
    path: Path, labels_path: Path, labels: Mapping[str, int], videos: VideoTree
) -> list[VideoRecord]:
    """Return the records of train.json or validation.json, in the file's order."""
    content = read_json(path, DataError)
    if not isinstance(content, list) or not content:
        raise DataError(f"expected a list of videos, got {shown(content)}", where=str(path))
    records: list[VideoRecord] = []
    unknown: list[str] = []
    for number, entry in enumerate(content, start=1):
        video_id, name = _read_entry(entry, number, path)
        if name in labels:
            records.append(VideoRecord(video_id, videos.find(video_id, where=str(path)), labels[name]))
        else:
            unknown.append(name)
    check_labels(unknown, path, labels_path.name)
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
