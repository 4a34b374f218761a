"""Where dynsearch keeps what it makes once: the embedded data set and the frame caches."""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from dynsearch.errors import DynsearchError
from dynsearch.files import read_json, write_text


def home() -> Path:
    """Return ``$DYNSEARCH_HOME``, or ``~/.cache/dynsearch`` where it is not set."""
    chosen = os.environ.get("DYNSEARCH_HOME")
    return Path(chosen).expanduser().absolute() if chosen else Path.home() / ".cache" / "dynsearch"


def remember_root(contents: Mapping[str, object], root: Path) -> None:
    """Keep where the videos lie whose contents, by split, are these; not in what may be given away."""
    with contextlib.suppress(DynsearchError, TypeError, ValueError):
        write_text(_roots(), json.dumps(_known_roots() | {_key(contents): str(root)}))


def remembered_root(contents: Mapping[str, object]) -> Path | None:
    """Return where these videos lay when they were opened last; None where that is not known, or they are gone."""
    root = _known_roots().get(_key(contents))
    return Path(root) if root and os.path.isdir(root) else None


def _known_roots() -> dict[str, str]:
    try:
        return dict(read_json(_roots()))
    except (DynsearchError, TypeError, ValueError):
        return {}


def _roots() -> Path:
    return home() / "roots.json"


def _key(contents: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(contents, sort_keys=True, default=sorted).encode()).hexdigest()[:16]


def dataset_root(name: str, root: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of the data set ``name``: ``root`` where given, else one under ``home()``.

    All variants (``NAME@VARIANT``) of a data set lie in one folder.
    """
    folder = name.partition("@")[0]
    return Path(root).expanduser().absolute() if root is not None else home() / "data" / folder
