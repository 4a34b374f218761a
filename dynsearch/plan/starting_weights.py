"""Files of weights that are brought for a plan, one for its own backbone or several by the backbones' names."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from dynsearch.errors import WeightsError, did_you_mean, shown

Weights = Path | Mapping[str, Path]
"""A file for the plan's own backbone, or for all of its network; or files by name of the backbone they are for."""
Files = str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]]
"""The same, as Python is given it."""


def as_weights(files: Files | None) -> Weights | None:
    """Return the paths that are meant."""
    if isinstance(files, Mapping):
        return {name: Path(file) for name, file in files.items()}
    return None if files is None else Path(files)


def weights_of(texts: Iterable[str]) -> Weights | None:
    """Return what texts such as ``FILE``, or ``local=FILE`` and ``global=FILE``, say; None where there are none.

    Raises:
        WeightsError: A backbone has two files, or none; or not all files are named.
    """
    files: dict[str, Path] = {}
    for text in texts:
        named = None if os.path.exists(text) else re.match(r"([^=/\\]+)=", text)
        name, file = (named[1].strip(), text[named.end() :].strip()) if named else ("", text)
        problem = "names no file" if not file else f"is a second file for {name or 'the backbone'}"
        if not file or name in files:
            raise WeightsError(
                f"{shown(text)} {problem}", where="--weights", hint="Write NAME=FILE for each backbone"
            )
        files[name] = Path(os.path.expanduser(file))
    if "" in files and len(files) > 1:
        raise WeightsError(
            f"{files['']} has no name, the others have", where="--weights", hint="Write NAME=FILE"
        )
    return files.get("") or files or None


def check_names(weights: Weights | None, names: Iterable[str]) -> None:
    """Refuse files for backbones that a plan does not have: WeightsError says which it has."""
    for name in weights if isinstance(weights, Mapping) else ():
        if name not in names:
            hint = f"{did_you_mean(name, names)}Its backbones: {', '.join(names)}; a file of that name is ./{name}=..."
            raise WeightsError(f"the plan has no backbone {shown(name)}", where="weights", hint=hint)


def weights_files(weights: Weights | None) -> list[Path]:
    """Return the files."""
    return [] if weights is None else [*weights.values()] if isinstance(weights, Mapping) else [weights]
