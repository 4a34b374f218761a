"""HMDB-51: ``class/NAME.avi`` and the three splits of ``testTrainMulti_7030_splits``.

``CLASS_test_split1.txt`` has ``NAME.avi 1`` a line: 1 trains, 2 tests, 0 is not used in this split. Clips of
one film start with its name, which is their group.

Source: the data set's own files, as downloaded from its page.
"""

import re
from pathlib import Path

from dynsearch.data.layouts.text_files import bad_line, read_lines
from dynsearch.data.layouts.video_tree import VideoTree
from dynsearch.data.records import Annotations, VideoRecord
from dynsearch.errors import DataError

_FOLDERS = ("testTrainMulti_7030_splits", "test_train_splits/testTrainMulti_7030_splits", "", "annotations")
_TAKE = re.compile(r"_[a-z]_[a-z]+_np\d+_[a-z]+_[a-z]+_\d+$")
"""End of a clip's name: what is visible, camera motion, people, view, quality, number."""


def read_hmdb51(root: Path, *, split: str = "1") -> Annotations:
    """Read one of the three official splits, ``1``, ``2`` or ``3``.

    Raises:
        DataError: Files are missing, or a list is not in the format above.
    """
    ending = f"_test_split{split}.txt"
    lists: list[Path] = []
    for folder in _FOLDERS:
        lists = lists or sorted((root / folder).glob(f"[!.]*{ending}"))
    if not lists:
        raise DataError(
            f"the data set is not complete there, missing: {_FOLDERS[0]}/*{ending}", where=str(root)
        )
    tree = VideoTree(root)
    train: list[VideoRecord] = []
    test: list[VideoRecord] = []
    class_names = tuple(path.name.removesuffix(ending) for path in lists)
    for label, path in enumerate(lists):
        for number, line in read_lines(path):
            name, _, tag = line.partition(" ")
            if not name.endswith(".avi") or tag not in ("0", "1", "2"):
                raise bad_line(path, number, "`VIDEO.avi 0`, `1` or `2`", line)
            if tag == "0":
                continue
            video_id = name.removesuffix(".avi")
            found = tree.find(video_id, where=str(path), suffix=".avi", folder=class_names[label])
            record = VideoRecord(video_id, found, label, _film(video_id, class_names[label]))
            (train if tag == "1" else test).append(record)
    return Annotations(class_names=class_names, train=train, test=test)


def _film(video_id: str, class_name: str) -> str:
    """Return the name of the film a clip is cut from: what stands before its class."""
    return _TAKE.sub("", video_id).removesuffix(f"_{class_name}")
