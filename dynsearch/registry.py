"""Named values behind a seam: those that ship, loaded when they are first asked for, and a user's own.

A seam has one registry, and what it holds is found by name wherever a recipe, a plan or a command names it. Built-in
values are given as ``module:attribute``, so that a package can look up what lies below it without importing it.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar, overload

from dynsearch.errors import InputError, did_you_mean, shown
from dynsearch.plugins import import_from_environment

Value = TypeVar("Value")
Given = TypeVar("Given")


class Registry(Generic[Value]):
    """Values by name; a mapping that can be added to and nothing taken from.

    Args:
        kind: What its values are, in words, for instance ``threshold solver``.
        shipped: Values by name, or where they are, as ``module:attribute``.
        error: Raised for a name that is not there.
        where: The field that such a name stands in.
    """

    def __init__(
        self,
        kind: str,
        shipped: Mapping[str, Value | str],
        *,
        error: type[InputError] = InputError,
        where: str | None = None,
    ) -> None:
        self.kind = kind
        self._values: dict[str, Value | str] = dict(shipped)
        self._shipped = frozenset(shipped)
        self._error, self._where = error, where

    def __getitem__(self, name: str) -> Value:
        """Return the value called ``name``; errors as of :meth:`checked`."""
        value = self._values[self.checked(name)]
        if isinstance(value, str):
            module, _, attribute = value.partition(":")
            value = self._values[name] = getattr(importlib.import_module(module), attribute)
        return value

    def checked(self, name: str) -> str:
        """Return ``name`` if there is a value of that name; otherwise the error names those there are."""
        if name not in self._values:
            import_from_environment()
        if name not in self._values:
            error = self._error
            raise error(
                f"there is no {self.kind} {shown(name)}",
                where=self._where,
                hint=f"{did_you_mean(name, self._values)}Known: {', '.join(self._values)}",
            )
        return name

    def is_shipped(self, name: str) -> bool:
        """Return whether the value called ``name`` came with dynsearch, and not from a user's module."""
        return name in self._shipped

    @overload
    def register(self, name: str, value: Given) -> Given: ...
    @overload
    def register(self, name: str) -> Callable[[Given], Given]: ...
    def register(self, name: str, value: Given | None = None) -> Given | Callable[[Given], Given]:
        """Add a value, also as a decorator: ``@SOLVERS.register("mine")``.

        Registering the same thing again, as a module that is imported twice does, changes nothing.

        Raises:
            InputError: The name is no short text, or stands for something else already.
        """
        if not isinstance(name, str) or not name.isprintable() or not name.strip():
            raise InputError(f"a {self.kind} needs a name, got {shown(name)}")
        if value is None:
            return lambda given: self.register(name, given)
        if name in self._values and not _same(self._values[name], value):
            raise InputError(
                f"there is a {self.kind} {shown(name)} already", hint="Register it under another name"
            )
        self._values[name] = value  # type: ignore[assignment]  # what a user registers is checked where it is used
        return value

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Registry({self.kind}: {', '.join(self._values)})"


def _same(there: object, value: object) -> bool:
    """Return whether both are one thing, or were made by the same line of a module."""
    if there is value:
        return True
    names = [(getattr(x, "__module__", None), getattr(x, "__qualname__", None)) for x in (there, value)]
    return names[0] == names[1] and None not in names[0]
