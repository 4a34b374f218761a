"""Opening the storage of a study's record: SQLite, Optuna's journal file, or PostgreSQL."""

import contextlib
import functools
import logging
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from urllib.parse import unquote

from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.pool import QueuePool

from dynsearch.errors import StudyError
from dynsearch.study.folder import StudyFolder
from dynsearch.study.journal_lock import JournalLock
from dynsearch.study.origin import way_on
from dynsearch.study.patient_storage import PatientStorage
from dynsearch.study.storage_address import parsed

_LOCK_SECONDS = 60

_log = logging.getLogger(__name__)


def open_storage(folder: StudyFolder, *, create: bool = False) -> BaseStorage:
    """Open the storage that the study in ``folder`` was begun with; only for reading where it can't be written to.

    Raises:
        StudyError: It does not exist and ``create`` does not say to make it, or it can't be opened.
    """
    storage, file = _recorded(folder), record_file(folder)
    if (
        file is not None
        and not file.is_file()
        and (not create or (folder.is_trained and file != _own(folder)))
    ):
        if folder.is_trained:
            raise StudyError(
                "the study's record is not there",
                where=str(file),
                hint="Put it back where it was, then go on",
            )
        raise no_trials(folder)
    try:
        if file is None:
            return PatientStorage(str(parsed(storage).set(drivername="postgresql+psycopg")))
        if storage.startswith("journal"):
            file.parent.mkdir(parents=True, exist_ok=True)
            return JournalStorage(JournalFileBackend(str(file), lock_obj=JournalLock(file)))
        return _sqlite(file)
    except Exception as error:  # SQLAlchemy and alembic raise errors of many unrelated types.
        raise StudyError(
            f"its record can't be opened: {' '.join(str(error).split())[:200]}",
            where=storage if file is None else str(file),
            hint=_hint(error),
        ) from error


def no_trials(folder: StudyFolder) -> StudyError:
    """Return the error of a study whose record has not begun."""
    return StudyError("the study has no trials yet", where=folder.name, hint=way_on(folder))


def record_file(folder: StudyFolder) -> Path | None:
    """Return the file that holds the study's record, or is to hold it; None where that is a database server.

    A file that lay in the study's folder has moved with it.
    """
    kind, _, path = _recorded(folder).partition(":")
    if kind not in ("journal", "sqlite"):
        return None
    file = Path(path.removeprefix("///")) if path else _own(folder)
    if os.path.isfile(file):
        return file
    moved = folder.path.resolve() / file.name
    if os.path.isfile(moved):
        return moved
    name, misplaced = folder.identity().get("name", folder.name), Path(unquote(str(file).partition("?")[0]))
    if misplaced != file and _holds(misplaced, name):  # Version 0.1 read the path as a URL.
        _log.warning("The record of %s lies in %s; move it to %s.", folder.path, misplaced, file)
        return misplaced
    return file


def _holds(file: Path, name: str) -> bool:
    """Return whether a file is a SQLite record of the study ``name``, and no folder's own."""
    if os.path.isfile(file.with_name("study.yaml")) or not os.path.isfile(file):
        return False
    with (
        contextlib.suppress(sqlite3.Error),
        sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True) as connection,
    ):
        found = connection.execute("SELECT 1 FROM studies WHERE study_name = ?", (name,))
        return found.fetchone() is not None
    return False


def _own(folder: StudyFolder) -> Path:
    """Return where the record lies if nothing else was asked for."""
    name = "journal.log" if _recorded(folder).startswith("journal") else "study.db"
    return folder.path.resolve() / name


def _recorded(folder: StudyFolder) -> str:
    recorded = folder.run_settings().storage if folder.study_file.is_file() else None
    return recorded or "sqlite"


def _sqlite(file: Path) -> RDBStorage:
    """Open a SQLite file by its path: in a URL, some letters of it would mean something else."""
    storage, connect = (
        None,
        functools.partial(sqlite3.connect, timeout=_LOCK_SECONDS, check_same_thread=False),
    )
    kept = None
    if file.is_file() and not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)):
        file, kept = _readable(file)
        connect = functools.partial(connect, f"{file.as_uri()}?mode=ro", uri=True)
    else:
        connect = functools.partial(connect, str(file))
    storage = RDBStorage("sqlite:///study.db", engine_kwargs={"creator": connect, "poolclass": QueuePool})
    storage._kept = kept  # type: ignore[attr-defined]  # and removed with it
    return storage


def _readable(file: Path) -> tuple[Path, tempfile.TemporaryDirectory[str] | None]:
    """Return a SQLite file that can be read where nothing can be written, or a copy with what its log adds."""
    try:
        with sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=_LOCK_SECONDS) as connection:
            connection.execute("SELECT * FROM sqlite_master")
        return file, None
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise
    kept = tempfile.TemporaryDirectory()
    for ending in ("", "-wal", "-journal"):
        if os.path.isfile(f"{file}{ending}"):
            shutil.copyfile(f"{file}{ending}", Path(kept.name) / f"{file.name}{ending}")
    return Path(kept.name) / file.name, kept


def _hint(error: Exception) -> str | None:
    if isinstance(error, ImportError):
        return "Run: pip install 'dynsearch[postgres]'"
    if "password" in str(error):
        return "Give the password in PGPASSWORD or ~/.pgpass"
    return None
