"""ActivityNet 1.3: ``activity_net.v1-3.min.json`` and untrimmed videos called ``v_ID.mp4``.

The file's ``database`` gives each id its ``subset`` and its ``annotations``, segments with a label each. A whole
video is one sample; its classes are the labels of all its segments. Many videos have vanished from the web, so
missing ones are left out and listed. The lists that papers on efficient recognition use, ``anet_train_video.txt``
and ``anet_val_video_multi_label.txt`` (``v_ID FRAMES LABEL [LABEL ...]``) with ``action_name.csv``, are read too.

Source: Caba Heilbron et al., ActivityNet, CVPR 2015, and the data set's own file.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dynsearch.data.layouts.text_files import find_files, frames_and_labels, in_folders, read_lines
from dynsearch.data.layouts.video_tree import VideoTree
from dynsearch.data.records import Annotations, VideoRecord
from dynsearch.errors import DataError, shown
from dynsearch.files import read_json

_JSON_NAMES = ("activity_net.v1-3.min.json", "activity_net.v1-3.json")
_LISTS: dict[str, Sequence[str]] = {
    "classes": in_folders("action_name.csv"),
    "train": in_folders("anet_train_video.txt"),
    "test": in_folders("anet_val_video_multi_label.txt"),
}
_SUBSETS = {"training": "train", "validation": "test"}


def read_activitynet(root: Path) -> Annotations:
    """Read ActivityNet 1.3; its validation videos are our test split.

    Raises:
        DataError: The annotation file is missing or not in the format above.
    """
    if not any((root / name).is_file() for name in in_folders(*_JSON_NAMES)) and any(
        (root / name).is_file() for name in _LISTS["train"]
    ):
        return _read_lists(find_files(root, _LISTS), VideoTree(root))
    files = find_files(root, {"annotations": in_folders(*_JSON_NAMES)})
    return _read_database(files["annotations"], VideoTree(root))


def _read_database(path: Path, tree: VideoTree) -> Annotations:
    content = read_json(path, DataError)
    database = content.get("database") if isinstance(content, dict) else None
    if not isinstance(database, dict) or not database:
        raise DataError('expected {"database": {ID: {"subset": ..., "annotations": [...]}}}', where=str(path))
    found: dict[str, dict[str, set[str]]] = {"train": {}, "test": {}}
    for video_id, entry in database.items():
        subset, names = _read_entry(video_id, entry, path)
        if subset in _SUBSETS and names:
            found[_SUBSETS[subset]][video_id] = names
    class_names = tuple(sorted(set().union(*found["train"].values())))
    labels = {name: label for label, name in enumerate(class_names)}
    parts = {part: _records(videos, labels, tree, path) for part, videos in found.items()}
    return Annotations(class_names=class_names, train=parts["train"], test=parts["test"])


def _read_entry(video_id: str, entry: Any, path: Path) -> tuple[str, set[str]]:
    """Return the subset and the class names of one video."""
    try:
        subset, names = entry["subset"], [annotation["label"] for annotation in entry.get("annotations", ())]
    except (KeyError, TypeError, AttributeError):
        subset, names = None, []
    if not isinstance(subset, str) or not all(isinstance(name, str) for name in names):
        raise DataError(
            f'video {shown(video_id)} should be {{"subset": ..., "annotations": [{{"label": ...}}]}}',
            where=str(path),
        )
    return subset, set(names)


def _records(
    videos: Mapping[str, set[str]], labels: Mapping[str, int], tree: VideoTree, path: Path
) -> list[VideoRecord]:
    unknown = sorted({name for names in videos.values() for name in names if name not in labels})
    if unknown:
        raise DataError(
            f"{len(unknown)} classes have no training video, first {shown(unknown[:10])}", where=str(path)
        )
    return [
        VideoRecord.of_classes(video_id, _find(video_id, tree, path), (labels[name] for name in names))
        for video_id, names in videos.items()
    ]


def _read_lists(files: dict[str, Path], tree: VideoTree) -> Annotations:
    names = [line for _, line in read_lines(files.pop("classes"))]
    class_names = tuple(names[1:] if names[0] == "action" else names)
    parts: dict[str, list[VideoRecord]] = {}
    for part, path in files.items():
        parts[part] = records = []
        for number, line in read_lines(path):
            name, labels = frames_and_labels(path, number, line, len(class_names), "v_ID")
            video_id = name.removeprefix("v_")
            records.append(VideoRecord.of_classes(video_id, _find(video_id, tree, path), labels))
    return Annotations(class_names=class_names, train=parts["train"], test=parts["test"])


def _find(video_id: str, tree: VideoTree, path: Path) -> Path:
    """Return the file of a video, called ``v_ID`` as downloaded, or ``ID``."""
    plain = tree.find(video_id, where=str(path))
    only_plain = video_id in tree.files and f"v_{video_id}" not in tree.files
    return plain if only_plain else tree.find(f"v_{video_id}", where=str(path))
