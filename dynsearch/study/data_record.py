"""Which data a study's results hang on, ``data.json``: written when it begins, and compared whenever it goes on."""

import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.data.identity import DataIdentity, VideoIdentity
from dynsearch.errors import InputError, ScoresError, StudyError
from dynsearch.files import read_json, write_text
from dynsearch.scores.labels import several_labels
from dynsearch.scores.storage import read_arrays
from dynsearch.study.folder import StudyFolder
from dynsearch.study.origin import Origin
from dynsearch.training.made import SCORES


def recorded_data(folder: StudyFolder) -> DataIdentity | None:
    """Return the identity of the data that the study was begun with; None where that is not recorded.

    Raises:
        StudyError: The file can't be read.
    """
    path = _path(folder)
    if not path.is_file():
        return None
    try:
        return DataIdentity.from_dict(read_json(path, StudyError))
    except StudyError:
        raise
    except InputError as error:
        raise StudyError(error.problem, where=str(path)) from error


def keep_data(folder: StudyFolder, now: DataIdentity, *, in_use: bool) -> str | None:
    """Record the data of a new study, or check that a study goes on with the data that it began with.

    A study of before this record is held to the videos that its trials were measured on. Where nothing has been
    trained, and no other driver is at work (``in_use``), the data may change. Returns what is to be said, if anything.

    Raises:
        StudyError: The data have changed; the message says how.
    """
    said = None
    if folder.study_file.is_file():
        before = recorded_data(folder)
        changes = before.differences(now) if before else _unlike_all_trials(folder, now)
        trained = in_use or folder.is_trained
        if changes and trained:
            raise StudyError(
                f"its data set has changed since it began: {'; '.join(changes)}",
                where=folder.name,
                hint="Results on other data can't be compared. Bring the data back (or give the --data-root it began "
                "with), or begin a new study with another --name. Nothing is lost: `dynsearch frontier` shows what "
                "was found, and a point of it exported can be measured on other test videos by `dynsearch evaluate`",
            )
        if before and not changes:
            return None
        if changes:
            said = f"the data set has changed before anything was trained: {'; '.join(changes)}"
        elif trained:
            said = (
                "which data the study began with was not recorded; from now on it is held to those of today"
            )
    write_text(_path(folder), json.dumps(now.to_dict(), ensure_ascii=False))
    return said


class OwnVideos:
    """The held-out videos of a study, and how those that a trial was measured on differ from them.

    They are those of the study's record; without one, those of most of its finished trials, of equally many the first
    ones'. With ``calibration: folds`` the training videos are calibrated on too.

    Raises:
        StudyError: The record can't be read.
        ScoresError: A trial's scores can't be read.
    """

    def __init__(self, folder: StudyFolder, numbers: Iterable[int]) -> None:
        self._folder = folder
        recorded, origin = recorded_data(folder), Origin.of_study(folder)
        self._class_names = recorded.class_names if recorded else tuple(origin.class_names if origin else ())
        if recorded is None:
            measured = [self._of(number) for number in numbers]
            digest = Counter(found.digest for found in measured).most_common(1)[0][0]
            recorded = next(found for found in measured if found.digest == digest)
        self._own = DataIdentity(self._class_names, recorded.splits)
        self._known: dict[bytes, list[str]] = {}

    def differences(self, number: int) -> list[str]:
        """Return how a trial's videos differ from the study's; ScoresError where its scores can't be read."""
        arrays = _held_out(self._folder.trial(number))
        digest = hashlib.sha256()
        for ids, labels in arrays.values():
            digest.update(
                f"{ids.dtype} {labels.dtype} {labels.shape}".encode() + ids.tobytes() + labels.tobytes()
            )
        if (key := digest.digest()) not in self._known:  # Most trials' are those of the one before.
            self._known[key] = _unlike(self._folder, self._own, _identity(arrays, self._class_names))
        return self._known[key]

    def _of(self, number: int) -> DataIdentity:
        return _measured_on(self._folder.trial(number), self._class_names)


def _unlike_all_trials(folder: StudyFolder, now: DataIdentity) -> list[str]:
    """Return how the data differ from what the last trial was measured on, unless some trial was on these."""
    origin = Origin.of_study(folder)
    changes: list[str] = []
    for path in folder.path.glob(f"trials/*/{SCORES['test']}"):
        with contextlib.suppress(ScoresError):  # Scores that can't be read are made again.
            names = origin.class_names if origin else now.class_names
            changes = _unlike(folder, now, _measured_on(path.parent, names), then=True)
            if not changes:
                break
    return changes


def _unlike(
    folder: StudyFolder, data: DataIdentity, measured: DataIdentity, *, then: bool = False
) -> list[str]:
    """Return how the held-out videos of ``data`` differ from ``measured`` ones, or these from them if ``then``."""
    splits = {split: data.splits.get(split, {}) for split in SCORES}
    if folder.recipe().calibration == "folds":  # Of the training videos, those that could be read.
        fitted, seen = data.splits.get("train", {}), measured.splits["calibration"]
        splits["calibration"] = {
            **splits["calibration"],
            **{id_: fitted[id_] for id_ in fitted if id_ in seen},
        }
    held_out = DataIdentity(data.class_names, splits)
    return measured.differences(held_out) if then else held_out.differences(measured)


def _measured_on(trial: Path, class_names: Sequence[str]) -> DataIdentity:
    """Return the identity, without contents, of the held-out videos that a trial's scores are of."""
    return _identity(_held_out(trial), class_names)


def _held_out(trial: Path) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Return names and labels of each split's videos that a trial's scores are of."""
    splits = {}
    for split, name in SCORES.items():
        arrays = read_arrays(trial / name, ("video_ids", "labels"))
        if len(arrays) < 2:
            raise ScoresError("lacks video_ids or labels", where=str(trial / name))
        splits[split] = arrays["video_ids"], arrays["labels"]
    return splits


def _identity(
    held_out: Mapping[str, tuple[NDArray[Any], NDArray[Any]]], class_names: Sequence[str]
) -> DataIdentity:
    splits = {}
    for split, (ids, labels) in held_out.items():
        rows = [np.flatnonzero(row) for row in labels] if several_labels(labels) else labels[:, None]
        splits[split] = {
            video: VideoIdentity(tuple(_name(int(label), class_names) for label in row), "")
            for video, row in zip(ids.astype(str).tolist(), rows, strict=True)
        }
    return DataIdentity(tuple(class_names), splits)


def _name(label: int, class_names: Sequence[str]) -> str:
    return class_names[label] if 0 <= label < len(class_names) else f"class {label}"


def _path(folder: StudyFolder) -> Path:
    return folder.path / "data.json"
