"""Any data set as a folder for each class, in ``train/``, ``val/`` and ``test/``, or without such a split.

A CSV file beside the folders may give each video its group, so that a person or place is never split.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from dynsearch.data.layouts.groups import read_group_file, take_test_groups, video_key, with_groups
from dynsearch.data.layouts.split_names import Role, annotations_of, pick
from dynsearch.data.layouts.text_files import check_labels
from dynsearch.data.layouts.video_tree import VideoTree
from dynsearch.data.records import Annotations, VideoRecord
from dynsearch.data.video_names import LeftOut, entries_of, is_byproduct, is_folder, is_video
from dynsearch.errors import DataError, named

Classes = dict[str, VideoTree]
"""The videos of class folders, by the folders' names, sorted."""


def read_class_folders(root: Path, *, test_groups: str | None = None) -> Annotations:
    """Read the videos of every class folder in ``root``, or in its ``train`` and ``test``.

    A video is a file, or, where no class folder has such files, a folder of numbered JPEG frames. ``test_groups`` are
    groups joined by + that are the test split; None takes ``test/``, or leaves the test split to be carved.

    Raises:
        DataError: There are no class folders with videos, or training and test have other classes.
    """
    folders, parts, notes = _found(root)
    names = parts["train"]
    if len(names) < 2:
        raise _too_few(folders["train"], names, notes)
    labels = {name: label for label, name in enumerate(names)}
    for role, classes in parts.items():
        unknown = (name for name in classes if name not in labels)
        check_labels(unknown, folders[role], folders["train"].name)
    annotations = annotations_of(
        tuple(labels),
        {role: _records(root, classes, labels) for role, classes in parts.items()},
        {role: f"{folder.name}/" for role, folder in folders.items()},
        where=str(root),
        notes=notes,
    )
    return take_test_groups(_grouped(root, annotations), test_groups, where=root)


def read_everything(root: Path) -> Annotations:
    """Read the videos of every class folder, in whatever splits or in none, as test videos.

    Raises:
        DataError: There are no class folders with videos.
    """
    _, parts, notes = _found(root, everything=True)
    names = tuple(sorted({name for classes in parts.values() for name in classes}))
    if not names:
        raise _too_few(root, {}, notes)
    labels = {name: label for label, name in enumerate(names)}
    test = [record for classes in parts.values() for record in _records(root, classes, labels)]
    return _grouped(root, Annotations(class_names=names, train=[], test=test, notes=tuple(notes), own=True))


def _found(
    root: Path, *, everything: bool = False
) -> tuple[dict[Role, Path], dict[Role, Classes], list[str]]:
    if not root.is_dir():
        raise DataError("there is no such folder", where=str(root))
    found = _look(root, frames=False, everything=everything)
    return found if any(found[1].values()) else _look(root, frames=True, everything=everything)


def _look(
    root: Path, *, frames: bool, everything: bool
) -> tuple[dict[Role, Path], dict[Role, Classes], list[str]]:
    """Return the folder and the classes of each split under a data root, and what is said of the rest.

    Its folders are splits if the one called train has class folders or, with ``everything``, no other one has videos.
    """
    left_out = LeftOut(root)
    picked, others = pick(_folders(root), words=False, where=str(root))
    parts = {role: _classes(root / name, left_out, frames=frames) for role, name in picked.items()}
    parts = {role: classes for role, classes in parts.items() if classes}
    alone = everything and parts and _classes(root, LeftOut(root), frames=frames).keys() <= {*picked.values()}
    if "train" not in parts and not alone:
        left_out = LeftOut(root)
        classes = _classes(root, left_out, frames=frames)
        doubled = [picked[role] for role, inner in parts.items() if inner.keys() & classes.keys()]
        if doubled or (classes and classes.keys() <= set(picked.values())):
            raise DataError(
                f"holds {', '.join(f'{name}/' for name in doubled or classes)}, but no train/ with class folders",
                where=str(root),
                hint="Put the videos in train/CLASS/ and test/CLASS/, or all in CLASS/",
            )
        return {"train": root}, {"train": classes}, [*_loose_notes(root), *left_out.notes()]
    empty = [name for role, name in picked.items() if role not in parts]
    notes = [f"{name}/ is left out, for it has no class folders with videos" for name in empty]
    for name in others:
        if count := sum(map(len, VideoTree(root / name).files.values())):
            notes.append(
                f"{name}/ is left out with {count} videos, because train/ is there and it is no split"
            )
    folders = {role: root / picked[role] for role in parts}
    for folder in folders.values():
        notes += _loose_notes(folder)
    return folders, parts, [*notes, *left_out.notes()]


def _folders(folder: Path) -> list[str]:
    return [entry.name for entry in entries_of(folder) if is_folder(entry)]


def _classes(folder: Path, left_out: LeftOut, *, frames: bool) -> Classes:
    """Return the folders directly in ``folder`` that hold videos."""
    trees = {
        name: VideoTree(folder / name, frame_folders=frames, left_out=left_out) for name in _folders(folder)
    }
    return {name: tree for name, tree in trees.items() if tree.files}


def _loose_notes(folder: Path) -> list[str]:
    """Return what is said of videos that lie beside the class folders."""
    names = [each.name for each in entries_of(folder) if not is_folder(each) and is_video(folder, each.name)]
    text = f"{len(names)} videos in {folder.name}/ lie in no class folder and are left out, first "
    return [text + ", ".join(map(named, names[:5]))] if names else []


def _too_few(root: Path, classes: Classes, notes: list[str]) -> DataError:
    """Return the error for fewer than two classes, which says what there is instead."""
    hint = None
    if classes:
        ((name, tree),) = classes.items()
        inner = {
            file.folder.relative_to(root / name).parts[:1] for each in tree.files.values() for file in each
        } - {()}
        notes = [f"all videos are in {name}/", *notes]
        hint = (
            f"Give {root / name} as data root, if the folders in it are the classes"
            if len(inner) > 1
            else None
        )
    problem = f"holds {len(classes)} folders with videos, at least 2 classes are needed"
    return DataError("; ".join([problem, *notes]), where=str(root), hint=hint)


def _records(root: Path, classes: Classes, labels: Mapping[str, int]) -> list[VideoRecord]:
    records = []
    for name, tree in classes.items():
        for path in sorted(file.path() for found in tree.files.values() for file in found):
            records.append(VideoRecord(path.relative_to(root).as_posix(), path, labels[name]))
    return records


def _grouped(root: Path, annotations: Annotations) -> Annotations:
    """Add the groups of the tables beside the folders, of groups.csv or else of the one that has some."""
    tables = [path for path in root.iterdir() if path.suffix.lower() in (".csv", ".tsv") and path.is_file()]
    files = sorted(path for path in tables if not is_byproduct(path.name))
    ids_of: dict[str, set[str]] = defaultdict(set)
    for record in annotations.records() if files else ():
        relative = record.path.relative_to(root)
        for name in (relative.as_posix(), relative.with_suffix("").as_posix(), relative.name, relative.stem):
            ids_of[video_key(name)].add(record.video_id)
    names = {name: ids.pop() for name, ids in ids_of.items() if len(ids) == 1}
    chosen = [path for path in files if path.stem.lower() == "groups"] or files
    found = [read_group_file(path, names) for path in chosen]
    groups = [each for each, _ in found if each]
    if len(groups) > 1:
        raise DataError(
            f"holds {len(groups)} CSV files with groups, so it is not clear which are meant",
            where=str(root),
            hint="Call it groups.csv",
        )
    annotations = annotations.noting(*(note for _, said in found for note in said))
    return annotations.changed(lambda records: with_groups(records, groups[0])) if groups else annotations
