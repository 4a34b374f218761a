"""Modules of the user's, imported so that what they register is found by name; in worker processes too.

A module is named as ``import`` does, or by its file, ``my_family.py``. Only what the user himself names is imported:
on the command line, in the environment variable DYNSEARCH_IMPORT, in a recipe he runs. What the files of a study or
a bundle name is not, because it would run code that came with them.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dynsearch.errors import InputError, shown

VARIABLE = "DYNSEARCH_IMPORT"

_imported: dict[str, None] = {}


def import_plugins(names: Iterable[str], *, where: str = "--plugin") -> None:
    """Import modules, or their files, each once; ``where`` says in messages where they are named.

    Raises:
        InputError: One can't be imported; the message says which and why.
    """
    for name in names:
        if name in _imported:
            continue
        try:
            if _is_file(name):
                _import_file(Path(os.path.expanduser(name)))
            else:
                importlib.import_module(name)
        except InputError as error:
            raise InputError(error.problem, where=f"{where} {name}", hint=error.hint) from error
        except Exception as error:  # Whatever a user's module raises.
            reason = " ".join(str(error).split())[:300]
            raise InputError(
                f"can't import {shown(name)}: {type(error).__name__}: {reason}",
                where=where,
                hint="Name a .py file, or a module that is installed or lies in PYTHONPATH",
            ) from error
        _imported[name] = None


def import_from_environment() -> None:
    """Import what DYNSEARCH_IMPORT names, separated by commas; errors as of :func:`import_plugins`."""
    names = (part.strip() for part in os.environ.get(VARIABLE, "").split(","))
    import_plugins(filter(None, names), where=VARIABLE)


def imported() -> tuple[str, ...]:
    """Return what was imported so far, as it was named, in its order."""
    return tuple(_imported)


class Imported(tuple[str, ...]):
    """Names of modules that a process imports when it receives them from another, before what follows them."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return _receive, (tuple(self),)


def _receive(names: tuple[str, ...]) -> Imported:
    import_plugins(names)
    return Imported(names)


def joined(*lists: Iterable[str]) -> tuple[str, ...]:
    """Return all names in ``lists``, each module once, by the last of its names."""
    return tuple({_module_name(name): name for names in lists for name in names}.values())


def portable(names: Iterable[str]) -> tuple[str, ...]:
    """Return names of modules without the folders that their files lie in, for a file that goes elsewhere."""
    return tuple(Path(name).name if _is_file(name) else name for name in names)


def require(names: Iterable[str], where: str) -> None:
    """Raise InputError unless the modules which a study or a bundle names have been imported by the user's own wish."""
    missing = [name for name in names if _module_name(name) not in sys.modules]
    if missing:
        raise InputError(
            f"was made with modules that are not imported: {', '.join(map(shown, portable(missing)))}",
            where=where,
            hint=f"They are code: read them first, then add --plugin {missing[0]}",
        )


def _is_file(name: str) -> bool:
    return name.endswith(".py")


def _module_name(name: str) -> str:
    return Path(name).stem if _is_file(name) else name


def _import_file(path: Path) -> None:
    """Import a file as the module called like it, which is then found under that name, also by pickle."""
    there = sys.modules.get(path.stem)
    if there is not None:
        if Path(getattr(there, "__file__", None) or "").resolve() == path.resolve():
            return
        raise InputError(f"there is a module {path.stem} already", hint="Call the file otherwise")
    if not path.is_file():
        raise InputError("there is no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path.resolve())
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
