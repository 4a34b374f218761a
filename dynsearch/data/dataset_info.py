"""What is known about a data set before it is opened: those that ship, from ``catalogue.yaml``, and registered ones."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from dynsearch.data.records import Annotations
from dynsearch.errors import InputError
from dynsearch.files import read_yaml
from dynsearch.registry import Registry

FlipRule = Literal["plain", "exchange"]
"""``plain``: a mirrored video keeps its classes. ``exchange``: classes whose names tell directions change places."""


Layout = Callable[[Path], Annotations]
"""Reads the annotation files below a data root. Videos without a file have the path that it should have."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """What is known about a data set before it is opened.

    Attributes:
        name: How commands and recipes call it; ``NAME@VARIANT`` for one of its variants.
        title: Its full name.
        num_classes: K; None where the user's own files say.
        layout: In words, which files are expected under the data root.
        licence_page: Where its licence and download are.
        how_to_get: What to download and where to put it.
        num_videos: Official sizes: labelled training videos and test videos; empty where they are the user's.
        calibration_fraction: Share of the training videos that calibration gets when nothing else is said.
        cache_frames: Frames of each video that its frame cache keeps when nothing else is said.
        cache_size: Side in pixels of the squares its frame cache keeps.
        read: Reads its annotation files. ``how_to_get`` is added to its errors that have no hint.
        splits: In words, which split is meant without a variant, and which variants there are.
        variant: Gives the layout of a variant; None where there are none.
        everything: Reads all videos there as test videos, where ``read`` wants some to train on; None is ``read``.
        generate: Makes it at a folder unless it is there; None for data that has to be downloaded.
        metrics: What its results are measured by, keys of ``scores.metrics.METRICS``; the first leads.
        flip: What mirroring a video does to its classes.
        may_vanish: Whether videos without a file are left out and listed, instead of an error.
    """

    name: str
    title: str
    num_classes: int | None = None
    layout: str
    licence_page: str
    how_to_get: str
    num_videos: dict[str, int] = dataclasses.field(default_factory=dict)
    calibration_fraction: float = 0.1
    cache_frames: int = 32
    cache_size: int = 256
    read: Layout
    splits: str
    variant: Callable[[str], Layout] | None = None
    everything: Layout | None = None
    generate: Callable[..., None] | None = None
    metrics: tuple[str, ...] = ("top1", "top5")
    flip: FlipRule = "plain"
    may_vanish: bool = False


def _entry(name: str, facts: Mapping[str, Any]) -> DatasetInfo:
    """Return one entry of the file; see what is said of its fields there."""
    written = dict(facts)
    read = functools.partial(_call, written.pop("read"), **written.pop("options", {}))
    argument, variants = written.pop("variant", None), written.pop("variants", None)
    if argument is not None:
        written["variant"] = functools.partial(_variant, name, read, argument, variants)
    for own in ("generate", "everything"):
        if own in written:
            written[own] = functools.partial(_call, written[own])
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
