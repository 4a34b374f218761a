"""Any data set as a folder for each class, in ``train/`` and ``test/`` (or ``val/``), or without such a split.

A CSV file beside the folders may give each video its group, so that a person or place is never split.
"""

from __future__ import annotations

import dataclasses
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from dynsearch.data.byproducts import is_byproduct
from dynsearch.data.layouts.groups import read_group_file, take_test_groups, with_groups
from dynsearch.data.layouts.text_files import check_labels
from dynsearch.data.layouts.video_tree import VideoTree
from dynsearch.data.records import Annotations, VideoRecord
from dynsearch.errors import DataError

TEST_FOLDERS = ("test", "val", "validation", "validate", "testing")


def read_class_folders(root: Path, *, test_groups: str | None = None) -> Annotations:
    """Read the videos of every class folder.

    Args:
        root: The folder that holds the class folders, or ``train`` and ``test`` with class folders each.
        test_groups: Groups joined by + that are the test split; None takes ``test/``, or leaves the test
            split to be carved.

    Raises:
        DataError: There are no class folders with videos, or training and test have other classes.
    """
    if not root.is_dir():
        raise DataError("there is no such folder", where=str(root))
    folders = {"train": root, "test": root}
    if (root / "train").is_dir():
        tested_in = next((name for name in TEST_FOLDERS if (root / name).is_dir()), "train")
        folders = {"train": root / "train", "test": root / tested_in}
    classes = _classes(folders["train"])
    if len(classes) < 2:
        raise DataError(
            f"holds {len(classes)} folders with videos, at least 2 classes are needed",
            where=str(folders["train"]),
        )
    labels = {name: label for label, name in enumerate(classes)}
    test: list[VideoRecord] = []
    if folders["test"] != folders["train"]:
        tested = _classes(folders["test"])
        check_labels((name for name in tested if name not in labels), folders["test"], folders["train"].name)
        test = _records(root, tested, labels)
    annotations = _grouped(
        root, Annotations(class_names=tuple(classes), train=_records(root, classes, labels), test=test)
    )
    return take_test_groups(annotations, test_groups, where=root)


def _classes(folder: Path) -> dict[str, VideoTree]:
    """Return the folders directly in ``folder`` that hold videos, by name, sorted."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir() and not is_byproduct(entry.name))
    trees = {name: VideoTree(folder / name) for name in names}
    return {name: tree for name, tree in trees.items() if tree.files}


def _records(root: Path, classes: Mapping[str, VideoTree], labels: Mapping[str, int]) -> list[VideoRecord]:
    records = []
    for name, tree in classes.items():
        files = [(file.path(), file) for found in tree.files.values() for file in found]
        for path, file in sorted(files):
            if file.leaves():
                raise DataError(
                    "is a link out of its folder", where=str(path), hint="Put the file itself there"
                )
            records.append(VideoRecord(path.relative_to(root).as_posix(), path, labels[name]))
    return records


def _grouped(root: Path, annotations: Annotations) -> Annotations:
    """Add the groups of the only CSV file in the root, where there is one."""
    files = sorted(path for path in root.glob("*.csv") if not is_byproduct(path.name))
    chosen = [file for file in files if file.stem == "groups"] or files
    if not chosen:
        return annotations
    if len(chosen) > 1:
        raise DataError(
            f"holds {len(chosen)} CSV files, so it is not clear which has the groups",
            where=str(root),
            hint="Call it groups.csv",
        )
    named: dict[str, set[str]] = defaultdict(set)
    for record in [*annotations.train, *annotations.test]:
        relative = record.path.relative_to(root)
        for name in (relative.as_posix(), relative.with_suffix("").as_posix(), relative.name, relative.stem):
            named[name].add(record.video_id)
    groups = read_group_file(chosen[0], {name: ids.pop() for name, ids in named.items() if len(ids) == 1})
    return dataclasses.replace(
        annotations,
        train=with_groups(annotations.train, groups),
        test=with_groups(annotations.test, groups),
    )
