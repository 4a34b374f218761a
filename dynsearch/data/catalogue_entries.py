"""The data sets that ship, from ``catalogue.yaml``. A new one is a layout file and one entry there."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from dynsearch.data.dataset_info import DatasetInfo, Layout
from dynsearch.errors import InputError
from dynsearch.files import read_yaml
from dynsearch.registry import Registry


def _entry(name: str, facts: Mapping[str, Any]) -> DatasetInfo:
    """Return one entry of the file; see what is said of its fields there."""
    written = dict(facts)
    read = functools.partial(_call, written.pop("read"), **written.pop("options", {}))
    argument, variants = written.pop("variant", None), written.pop("variants", None)
    if argument is not None:
        written["variant"] = functools.partial(_variant, name, read, argument, variants)
    if "generate" in written:
        written["generate"] = functools.partial(_call, written["generate"])
    if "metrics" in written:
        written["metrics"] = tuple(written["metrics"])
    return DatasetInfo(name=name, read=read, **written)


def _variant(
    name: str, read: Callable[..., Any], argument: str, known: list[str] | None, variant: str
) -> Layout:
    """Return the layout of one of a data set's variants."""
    if known is not None and variant not in known:
        raise InputError(
            f"{name} has no split {variant!r}", hint=f"Splits: {', '.join(f'{name}@{one}' for one in known)}"
        )
    return functools.partial(read, **{argument: variant})


def _call(place: str, *args: Any, **options: Any) -> Any:
    """Call the function at MODULE:NAME below this package, imported only now."""
    module, _, function = place.partition(":")
    return getattr(import_module(f"dynsearch.data.{module}"), function)(*args, **options)


DATASETS: Registry[DatasetInfo] = Registry(
    "data set",
    {
        name: _entry(name, facts)
        for name, facts in read_yaml(Path(__file__).with_name("catalogue.yaml")).items()
    },
)
"""Every data set by name."""
