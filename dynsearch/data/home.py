"""Where dynsearch keeps what it makes once: the embedded data set and the frame caches."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """Return ``$DYNSEARCH_HOME``, or ``~/.cache/dynsearch`` where it is not set."""
    chosen = os.environ.get("DYNSEARCH_HOME")
    return Path(chosen).expanduser().absolute() if chosen else Path.home() / ".cache" / "dynsearch"


def dataset_root(name: str, root: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of the data set ``name``: ``root`` where given, else one under ``home()``.

    All variants (``NAME@VARIANT``) of a data set lie in one folder.
    """
    folder = name.partition("@")[0]
    return Path(root).expanduser().absolute() if root is not None else home() / "data" / folder
