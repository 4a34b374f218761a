"""What ``--storage`` may be, and how it is written down: never with a password."""

import os
import re
import sys
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from dynsearch.errors import RecipeError

_FORMS = "Give sqlite:///FILE, journal, journal:FILE or postgresql://USER@HOST/DATABASE"


def without_password(storage: str) -> str:
    """Return a storage as it is recorded: files as absolute paths, and no password.

    A password moves to ``PGPASSWORD``, from where PostgreSQL's own library takes it; without one there,
    ``~/.pgpass`` is asked. So it is never printed, logged or written.

    Raises:
        RecipeError: It is none of ``sqlite:///FILE``, ``journal``, ``journal:FILE`` and ``postgresql://...``.
    """
    kind, _, path = storage.partition(":")
    if kind == "journal":
        return f"journal:{Path(os.path.expanduser(path)).resolve()}" if path else "journal"
    url = parsed(storage)
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{_sqlite_file(storage).resolve()}"
    password = _password(url)
    if password is not None:
        os.environ["PGPASSWORD"] = password
    query = {name: value for name, value in url.query.items() if name != "password"}
    return str(URL.create(url.drivername, url.username, None, url.host, url.port, url.database, query))


def hide_password(storage: str, recorded: str) -> None:
    """Start this command anew without the password in its command line, which every user of the machine can list.

    ``recorded`` is from :func:`without_password`, which has put the password into the environment.
    """
    command = [argument.replace(storage, recorded) for argument in sys.orig_argv]
    if storage.startswith("postgresql") and command != sys.orig_argv:
        os.execv(sys.executable, command)


def check_storage(storage: str) -> None:
    """Raise RecipeError for a storage that can't be recorded: of an unknown form, or with a password."""
    if storage.partition(":")[0] != "journal" and _password(parsed(storage)) is not None:
        raise RecipeError(
            "storage: a password would be written to study.yaml", hint="Use --storage, or PGPASSWORD"
        )


def parsed(storage: str) -> URL:
    """Return the address of a database; RecipeError if it is none of SQLite or PostgreSQL."""
    try:
        url = make_url(storage)
        kind = url.get_backend_name()
    except ArgumentError:
        kind = ""
    if kind not in ("sqlite", "postgresql"):  # What was given may hold a password, so it is not repeated.
        raise RecipeError("is no storage that is known", where="storage", hint=_FORMS)
    return url


def _sqlite_file(storage: str) -> Path:
    """Return the file of ``sqlite:///FILE``, whatever letters its name has: it is no part of an address."""
    _, _, name = storage.partition(":///")
    if not name or name == ":memory:" or re.search(r"\?\w+=[^/]*$", name):
        raise RecipeError("SQLite needs a file, and takes no options", where="storage", hint=_FORMS)
    return Path(os.path.expanduser(name))


def _password(url: URL) -> str | None:
    """Return the password in ``url``, before its host or among its options."""
    if "sslpassword" in url.query:
        raise RecipeError(
            "storage: the password of a key can't be kept out of the record", hint="Use another key"
        )
    given = url.query.get("password", url.password)
    return given if given is None or isinstance(given, str) else given[0]
