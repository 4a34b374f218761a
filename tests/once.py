"""What many tests begin with, made once in a run for all its workers, and copied for each that asks."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path


def made_once(name, make, folder):
    """Copy what ``make(folder)`` writes to ``folder``; it is called the first time that any test asks for ``name``."""
    kept = Path(tempfile.gettempdir()) / "once" / name
    kept.parent.mkdir(exist_ok=True)
    with kept.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            making = kept.with_name(f"{name}.making-{os.getpid()}")
            make(making)
            making.rename(kept)
    return Path(shutil.copytree(kept, folder, dirs_exist_ok=True))
