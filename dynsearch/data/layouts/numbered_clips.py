"""Jester and Something-Something v1: a folder of JPEG frames for each numbered clip, and CSV files.

``PREFIX-labels.csv`` has a class a line, ``PREFIX-train.csv`` and ``PREFIX-validation.csv`` have ``ID;CLASS``.
The official test files have no labels, so the validation videos are our test split. Clips may be video files
under the same ids instead.

Source: the data sets' own files, as downloaded from their pages.
"""

from collections.abc import Mapping
from pathlib import Path

from dynsearch.data.layouts.text_files import bad_line, check_labels, find_files, in_folders, read_lines
from dynsearch.data.layouts.video_tree import VideoTree
from dynsearch.data.records import Annotations, VideoRecord


def read_numbered_clips(root: Path, *, prefix: str, folder: str) -> Annotations:
    """Read ``PREFIX-*.csv`` (such as ``jester-v1``) and find the clips in ``folder`` (such as ``20bn-jester-v1``).

    Raises:
        DataError: Files or the folder of clips are missing, or a file is not in the format above.
    """
    parts = {"labels": "labels", "train": "train", "test": "validation"}
    wanted = {part: in_folders(f"{prefix}-{name}.csv", f"{name}.csv") for part, name in parts.items()}
    files = find_files(root, wanted, videos=folder)
    class_names = tuple(line for _, line in read_lines(files["labels"]))
    labels = {name: label for label, name in enumerate(class_names)}
    clips = VideoTree(root / folder, depth=0, frame_folders=True)
    records = {part: _read_part(files[part], labels, files["labels"], clips) for part in ("train", "test")}
    return Annotations(class_names=class_names, train=records["train"], test=records["test"])


def _read_part(
    path: Path, labels: Mapping[str, int], labels_path: Path, clips: VideoTree
) -> list[VideoRecord]:
    records = []
    unknown = []
    for number, line in read_lines(path):
        video_id, semicolon, name = line.partition(";")
        if not semicolon or not name:
            raise bad_line(path, number, "`ID;CLASS`", line)
        if name in labels:
            found = clips.find(video_id, where=str(path), suffix="")
            records.append(VideoRecord(video_id, found, labels[name]))
        else:
            unknown.append(name)
    check_labels(unknown, path, labels_path.name)
    return records
