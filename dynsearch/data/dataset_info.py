"""What is known about a data set before it is opened."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

from dynsearch.data.records import Annotations
from dynsearch.data.watched_workers import Progress

FlipRule = Literal["plain", "exchange"]
"""``plain``: a mirrored video keeps its classes. ``exchange``: classes whose names tell directions change places."""


Layout = Callable[[Path], Annotations]
"""Reads the annotation files below a data root. Videos without a file have the path that it should have."""


class Generator(Protocol):
    """Makes a data set at a folder unless it is complete there."""

    def __call__(
        self, root: Path, *, num_workers: int | None = None, progress: Progress | None = None
    ) -> None:
        """Make it, with ``num_workers`` processes, telling ``progress`` after every video."""
        ...


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
        generate: Makes it where it is absent; None for data that has to be downloaded.
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
    generate: Generator | None = None
    metrics: tuple[str, ...] = ("top1", "top5")
    flip: FlipRule = "plain"
    may_vanish: bool = False
