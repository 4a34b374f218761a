"""Opening a study's record: SQLite, Optuna's journal file, or PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from dynsearch.errors import StudyError
from dynsearch.study.folder import StudyFolder
from dynsearch.study.journal_lock import JournalLock
from dynsearch.study.patient_storage import PatientStorage
from dynsearch.study.storage_address import parsed

_LOCK_SECONDS = 60


def open_storage(folder: StudyFolder, *, create: bool = False) -> BaseStorage:
    """Open the storage that the study in ``folder`` was begun with.

    Args:
        folder: The study's folder.
        create: Make it if there is none.

    Raises:
        StudyError: It does not exist, or can't be opened.
    """
    storage = _recorded(folder)
    kind, _, path = storage.partition(":")
    file = folder.path.resolve() / {"sqlite": "study.db", "journal": "journal.log"}.get(kind, "")
    if kind == "journal":
        file = Path(path or file)
    elif storage.startswith("sqlite:///"):
        file = Path(storage.removeprefix("sqlite:///"))
    if kind in ("journal", "sqlite") and not create and not file.is_file():
        raise StudyError("the study has no trials yet", where=folder.name, hint="Run `dynsearch study` first")
    shown = str(file) if kind in ("journal", "sqlite") else storage
    try:
        if kind == "journal":
            file.parent.mkdir(parents=True, exist_ok=True)
            return JournalStorage(JournalFileBackend(str(file), lock_obj=JournalLock(file)))
        if kind == "sqlite":
            return RDBStorage(f"sqlite:///{file}", engine_kwargs={"connect_args": {"timeout": _LOCK_SECONDS}})
        return PatientStorage(str(parsed(storage).set(drivername="postgresql+psycopg")))
    except Exception as error:  # SQLAlchemy and alembic raise errors of many unrelated types.
        raise StudyError(
            f"its record can't be opened: {' '.join(str(error).split())[:200]}",
            where=shown,
            hint=_hint(error),
        ) from error


def _recorded(folder: StudyFolder) -> str:
    recorded = folder.run_settings().storage if folder.study_file.is_file() else None
    return recorded or "sqlite"


def _hint(error: Exception) -> str | None:
    if isinstance(error, ImportError):
        return "Run: pip install 'dynsearch[postgres]'"
    if "password" in str(error):
        return "Give the password in PGPASSWORD or ~/.pgpass"
    return None
