"""The search spaces and study recipes that ship with dynsearch, and the user's own beside them."""

from pathlib import Path

from dynsearch.errors import InputError, did_you_mean
from dynsearch.files import at_home

_PACKAGE = Path(__file__).parent
_KINDS = {"search_spaces": "search space", "studies": "study recipe", "studies/paper": "plan"}


def find(kind: str, name: str) -> Path:
    """Return the YAML file for ``name``, a shipped name or the path of a file.

    Looked for in this order: ``name`` itself when it ends in ``.yaml``, ``<kind>/<name>.yaml`` below the
    working directory, and the files that ship with dynsearch. ``kind`` is ``search_spaces``, ``studies``, or
    ``studies/paper`` for the paper's plans.

    Raises:
        InputError: There is no such file; the message lists the shipped names.
    """
    name = at_home(name)
    if name.endswith((".yaml", ".yml")):
        candidates = [Path(name)]
    else:
        candidates = [folder / f"{name}.yaml" for folder in (Path(kind), _shipped(kind))]
    for path in candidates:
        if path.is_file():
            return path
    raise InputError(
        f"there is no {_KINDS[kind]} {name!r}",
        hint=f"{did_you_mean(name, names(kind))}Shipped: {', '.join(names(kind))}; or give the path of a .yaml file",
    )


def names(kind: str) -> list[str]:
    """Return the names of the shipped files of ``kind``, sorted."""
    folder = _shipped(kind)
    return sorted(path.stem for path in folder.glob("*.yaml"))


def _shipped(kind: str) -> Path:
    """In a wheel the files lie inside the package, in a checkout beside it."""
    inside = _PACKAGE / "shipped" / kind
    return inside if inside.is_dir() else _PACKAGE.parent / kind
