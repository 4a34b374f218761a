"""Videos of another data set under the class numbers of a network, by the classes' names."""

import dataclasses
from collections.abc import Sequence

from dynsearch.data.records import VideoDataset, VideoRecord
from dynsearch.errors import DataError, named
from dynsearch.tables import composed, plain_name


def with_classes_of(dataset: VideoDataset, class_names: Sequence[str]) -> VideoDataset:
    """Return ``dataset`` with the class numbers that ``class_names`` have; capitals, blanks and hyphens don't count.

    Videos of other classes are left out, which is said in its notes, as are classes without a video.

    Args:
        dataset: Any videos.
        class_names: K names, in the order of the network's logits.

    Raises:
        DataError: No class is among them, or in a split no video is left.
    """
    if tuple(class_names) == dataset.class_names:
        return dataset
    exact = {composed(name): label for label, name in enumerate(class_names)}
    loose: dict[str, list[int]] = {}
    for label, name in enumerate(class_names):
        loose.setdefault(plain_name(composed(name)), []).append(label)
    found: dict[int, int] = {}
    for label, name in enumerate(dataset.class_names):
        near = loose.get(plain_name(composed(name)), [])
        if composed(name) in exact or len(near) == 1:
            found[label] = exact.get(composed(name), near[0] if near else -1)
    unknown = [name for label, name in enumerate(dataset.class_names) if label not in found]
    missing = [name for label, name in enumerate(class_names) if label not in found.values()]
    if not found:
        raise DataError(
            f"none of its classes ({_first(dataset.class_names)}) is the network's ({_first(class_names)})",
            where=str(dataset.root),
            hint="Classes are matched by name: call its folders or labels as the network's, which labels.txt has",
        )
    splits = {
        split: [kept for record in records if (kept := _renumbered(record, found))]
        for split, records in dataset.splits.items()
    }
    notes = list(dataset.notes)
    if unknown:
        left = sum(map(len, dataset.splits.values())) - sum(map(len, splits.values()))
        notes.append(f"not the network's classes: {_first(unknown)}; {left} videos of them are left out")
    if missing:
        notes.append(
            f"{len(missing)} of the network's {len(class_names)} classes are not there: {_first(missing)}"
        )
    if empty := [split for split, records in splits.items() if dataset.splits[split] and not records]:
        raise DataError(f"no {empty[0]} video is of the network's classes", where=str(dataset.root))
    return dataclasses.replace(dataset, class_names=tuple(class_names), splits=splits, notes=tuple(notes))


def _renumbered(record: VideoRecord, found: dict[int, int]) -> VideoRecord | None:
    labels = tuple(sorted(found[label] for label in record.labels or (record.label,) if label in found))
    if not labels:
        return None
    return dataclasses.replace(record, label=labels[0], labels=labels if record.labels else ())


def _first(names: Sequence[str]) -> str:
    return ", ".join(map(named, names[:5])) + (", ..." if len(names) > 5 else "")
