"""Makes the API reference from the docstrings: python docs/reference.py FOLDER."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

import pdoc

import dynsearch


def modules() -> list[str]:
    """Return every module that can be imported here; those of extras that are not installed are left out."""
    names = ["dynsearch"]
    for found in pkgutil.walk_packages(dynsearch.__path__, "dynsearch."):
        if not found.name.startswith("dynsearch.cli"):
            try:
                importlib.import_module(found.name)
            except ImportError as error:
                print(f"{found.name} is left out: {error}", file=sys.stderr)
            else:
                names.append(found.name)
    return names


def write(folder: Path, *, show_source: bool = True) -> None:
    """Write a page for each module."""
    pdoc.render.configure(docformat="google", show_source=show_source)
    pdoc.pdoc(*modules(), output_directory=folder)


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/docs")
    write(folder)
    print(folder / "index.html")
