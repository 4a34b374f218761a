"""Folders of a test run's own, for what is made in passing and for the data home: the user's stay as they are."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from multiprocessing.util import Finalize
from pathlib import Path

_PREFIX = "dynsearch-tests-"


def use_own_folders():
    """Point ``TMPDIR`` and ``DYNSEARCH_HOME`` of all processes of the run into a folder that is removed at its end.

    Only pytest's own, ``tmp_path``, is where it always was, so that files of a failed test stay to be looked at.
    """
    place = tempfile.gettempdir()
    _remove_what_killed_runs_left(place)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))  # short: sockets below it may have 107 characters in all
    folder.chmod(0o1777)  # Tests start processes of other users.
    fcntl.flock(lock := os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC), fcntl.LOCK_EX)
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", place)
    os.environ |= {"TMPDIR": str(folder), "DYNSEARCH_HOME": str(folder / "home")}
    tempfile.tempdir = None

    def remove():
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)

    Finalize(None, remove, exitpriority=-200)  # multiprocessing removes its own folders at -100


def _remove_what_killed_runs_left(place):
    for lock in Path(place).glob(f"{_PREFIX}*/lock"):
        with contextlib.suppress(OSError), lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
