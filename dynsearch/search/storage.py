"""Where a study's record is kept: SQLite, Optuna's journal file, or PostgreSQL."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from dynsearch.errors import RecipeError, StudyError
from dynsearch.search.journal_lock import JournalLock
from dynsearch.search.patient_storage import PatientStorage

if TYPE_CHECKING:
    from dynsearch.search.folder import StudyFolder

_LOCK_SECONDS = 60
_FORMS = "Give sqlite:///FILE, journal, journal:FILE or postgresql://USER@HOST/DATABASE"


def without_password(storage: str) -> str:
    """Return a storage as it is recorded: files as absolute paths, and no password.

    A password moves to ``PGPASSWORD``, from where PostgreSQL's own library takes it; without one there,
    ``~/.pgpass`` is asked. So it is never printed, logged or written.

    Args:
        storage: What the user gave: ``sqlite:///FILE``, ``journal``, ``journal:FILE``, ``postgresql://...``.

    Raises:
        RecipeError: It has none of these forms.
    """
    kind, _, path = storage.partition(":")
    if kind == "journal":
        return f"journal:{Path(path).resolve()}" if path else "journal"
    url = _parsed(storage)
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{Path(url.database or '').resolve()}"
    password = _password(url)
    if password is not None:
        os.environ["PGPASSWORD"] = password
    query = {name: value for name, value in url.query.items() if name != "password"}
    return str(URL.create(url.drivername, url.username, None, url.host, url.port, url.database, query))


def hide_password(storage: str, recorded: str) -> None:
    """Start this command anew without the password in its command line, which every user of the machine can list.

    Args:
        storage: As it was given.
        recorded: From :func:`without_password`, which has put the password into the environment.
    """
    command = [argument.replace(storage, recorded) for argument in sys.orig_argv]
    if storage.startswith("postgresql") and command != sys.orig_argv:
        os.execv(sys.executable, command)


def check_storage(storage: str) -> None:
    """Refuse a storage that can't be recorded.

    Raises:
        RecipeError: It has an unknown form, or names a password.
    """
    if storage.partition(":")[0] != "journal" and _password(_parsed(storage)) is not None:
        raise RecipeError(
            "storage: a password would be written to study.yaml", hint="Use --storage, or PGPASSWORD"
        )


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
        return PatientStorage(str(_parsed(storage).set(drivername="postgresql+psycopg")))
    except Exception as error:  # SQLAlchemy and alembic raise errors of many unrelated types.
        raise StudyError(
            f"its record can't be opened: {' '.join(str(error).split())[:200]}",
            where=shown,
            hint=_hint(error),
        ) from error


def _recorded(folder: StudyFolder) -> str:
    recorded = folder.recipe().storage if folder.study_file.is_file() else None
    return recorded or "sqlite"


def _hint(error: Exception) -> str | None:
    if isinstance(error, ImportError):
        return "Run: pip install 'dynsearch[postgres]'"
    if "password" in str(error):
        return "Give the password in PGPASSWORD or ~/.pgpass"
    return None


def _password(url: URL) -> str | None:
    """Return the password in ``url``, before its host or among its options."""
    if "sslpassword" in url.query:
        raise RecipeError(
            "storage: the password of a key can't be kept out of the record", hint="Use another key"
        )
    given = url.query.get("password", url.password)
    return given if given is None or isinstance(given, str) else given[0]


def _parsed(storage: str) -> URL:
    try:
        url = make_url(storage)
        kind = url.get_backend_name()
    except ArgumentError:
        kind = ""
    if kind not in ("sqlite", "postgresql"):  # What was given may hold a password, so it is not repeated.
        raise RecipeError("is no storage that is known", where="storage", hint=_FORMS)
    return url
