"""Removing a study, or all of it but its name: its record, wherever that lies, and the files it wrote."""

import os
import shutil
from pathlib import Path

from dynsearch.errors import OtherSettingsError, StudyError
from dynsearch.study.folder import StudyFolder
from dynsearch.study.identity import PARTS
from dynsearch.study.record import finished, open_record, records_of
from dynsearch.study.storage import record_file

_FILES = (
    "trials", "bases", "one-shot", "artifacts", "frontier.csv", "frontier.png", "families.csv", "families.png",
    "report.html", "hours.json", "data.json", "origin.yaml", "study.yaml",
)  # fmt: skip
"""What a study writes, in the order in which it is removed: with ``study.yaml`` gone, it is no study any more."""
_LOCKS = (".claims", ".turn.lock", ".driver.lock", ".running.lock")


def remove_study(folder: StudyFolder) -> list[str]:
    """Remove a study, and return what else its folder holds; it stays if there is anything.

    Raises:
        StudyError: A driver is at work on it, or its record can't be reached.
    """
    with folder.running() as alone, alone() as is_alone:
        if not is_alone:
            raise in_use(folder)
        empty(folder)
        for name in _LOCKS:
            (folder.path / name).unlink(missing_ok=True)
    others = sorted(os.listdir(folder.path))
    if not others:
        shutil.rmtree(folder.path.resolve())
        if folder.path.is_symlink():
            folder.path.unlink()
    return others


def empty(folder: StudyFolder) -> None:
    """Remove a study's record and files, while no driver is at work.

    Raises:
        StudyError: The record can't be reached; nothing was removed.
    """
    for path in (*_remove_record(folder), *(folder.path / name for name in _FILES)):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def was_trained(folder: StudyFolder) -> bool:
    """Return whether anything was trained in a study: what it left in the folder or in the record."""
    if folder.is_trained:
        return True
    try:
        return bool(finished(open_record(folder)))
    except StudyError as error:
        return isinstance(error, OtherSettingsError)


def in_use(folder: StudyFolder) -> StudyError:
    """Return the error of a study that can't be removed now."""
    return StudyError(
        "a driver is at work on it", where=folder.name, hint="Stop it first (Ctrl-C), then try again"
    )


def _remove_record(folder: StudyFolder) -> list[Path]:
    """Remove the record where others may be beside it, and return the files that hold nothing else."""
    file = record_file(folder)
    inside = file is not None and file.parent == folder.path.resolve()
    if file is not None and not file.is_file():
        return []
    try:
        records = records_of(folder)
        for part in (*PARTS, None):
            found = records.find(part)
            if found is not None and records.copied_from(found) is None:
                records.storage.delete_study(found._study_id)
        others = records.storage.get_all_studies()
    except StudyError:
        if not inside:
            raise
        others = []  # A file that nobody can read, or whose studies nobody knows, goes with the folder.
    if file is None or not inside or others:
        return []
    return [file.with_name(f"{file.name}{ending}") for ending in ("", "-wal", "-shm", "-journal", ".torn")]
