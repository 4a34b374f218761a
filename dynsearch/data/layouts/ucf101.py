"""UCF-101: ``Class/v_Class_g01_c01.avi`` and the three splits of ``ucfTrainTestlist``.

``classInd.txt`` has ``1 ApplyEyeMakeup``, ``trainlist01.txt`` has ``Class/v_Class_g08_c01.avi 1`` and
``testlist01.txt`` the same without the number. Clips of one group (g01 to g25) are cut from one recording, so a
group is never split between training and calibration.

Source: the data set's own files, as downloaded from its page.
"""

import re
from pathlib import Path

from dynsearch.data.layouts.text_files import bad_line, find_files, in_folders, read_lines
from dynsearch.data.layouts.video_tree import VideoTree
from dynsearch.data.records import Annotations, VideoRecord
from dynsearch.errors import DataError, shown

_FOLDERS = ("ucfTrainTestlist", "UCF101TrainTestSplits-RecognitionTask/ucfTrainTestlist", "", "annotations")
_GROUP = re.compile(r"_(g\d+)_c\d+$")


def read_ucf101(root: Path, *, split: str = "1") -> Annotations:
    """Read one of the three official splits, ``1``, ``2`` or ``3``.

    Raises:
        DataError: Files are missing, or a list is not in the format above.
    """
    names = {"classes": "classInd.txt", "train": f"trainlist0{split}.txt", "test": f"testlist0{split}.txt"}
    files = find_files(root, {part: in_folders(name, folders=_FOLDERS) for part, name in names.items()})
    classes = _read_classes(files.pop("classes"))
    tree = VideoTree(root)
    parts = {part: _read_list(path, classes, tree) for part, path in files.items()}
    return Annotations(class_names=tuple(classes), train=parts["train"], test=parts["test"])


def _read_classes(path: Path) -> dict[str, int]:
    classes: dict[str, int] = {}
    for number, line in read_lines(path):
        index, _, name = line.partition(" ")
        if index != str(len(classes) + 1) or not name or name in classes:
            raise bad_line(path, number, f"`{len(classes) + 1} CLASS`", line)
        classes[name] = len(classes)
    return classes


def _read_list(path: Path, classes: dict[str, int], tree: VideoTree) -> list[VideoRecord]:
    records = []
    for number, line in read_lines(path):
        file, _, index = line.partition(" ")
        folder, slash, name = file.partition("/")
        if not slash or not name.endswith(".avi"):
            raise bad_line(path, number, "`CLASS/VIDEO.avi`", line)
        if folder not in classes:
            raise DataError(
                f"line {number}: the class {shown(folder)} is not in classInd.txt", where=str(path)
            )
        if index and index.strip() != str(classes[folder] + 1):
            raise bad_line(path, number, f"class number {classes[folder] + 1} for {folder}", line)
        video_id = name.removesuffix(".avi")
        found = tree.find(video_id, where=str(path), suffix=".avi", folder=folder)
        group = _GROUP.search(video_id)
        records.append(VideoRecord(video_id, found, classes[folder], group[1] if group else None))
    return records
