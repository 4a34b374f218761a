"""Batches of clips in an order that depends on the seed and the epoch only."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import Sampler

from dynsearch.data.clips import Batch, ClipDataset
from dynsearch.data.frame_index import FileState, FrameIndex, known_since, num_known, remember
from dynsearch.data.watched_workers import Lost, map_in_order
from dynsearch.errors import DataError, DynsearchError, InputError, VideoError


@dataclasses.dataclass(eq=False)
class EpochOrder(Sampler[list[int]]):
    """Batches of indices in the order of (seed, ``dataset.epoch``).

    Args:
        dataset: Its length and its epoch are looked at when a pass begins.
        batch_size: B.
        shuffle: Draw an order; otherwise they come as they are.
        seed: Seed of the order.
        rank: Which of the ``num_ranks`` processes of a distributed training this is.
        num_ranks: They share a pass. Shuffled, each takes every ``num_ranks``-th video of an order filled up
            from its start, so that all take the same number of steps, and the n-th batches of all are the
            n-th batch of one process whose batches are ``num_ranks`` times as large. As they are, each takes
            every ``num_ranks``-th batch: the batches are those of one process, and no video is repeated.

    Attributes:
        first_batch: The pass begins with this batch; those before are left out.

    Raises:
        InputError: A number is out of range.
    """

    dataset: ClipDataset
    batch_size: int
    _: dataclasses.KW_ONLY
    shuffle: bool
    seed: int = 0
    rank: int = 0
    num_ranks: int = 1
    first_batch: int = dataclasses.field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise InputError(f"batch_size must be at least 1, got {self.batch_size}")
        if not 0 <= self.rank < self.num_ranks:
            raise InputError(
                f"rank must be from 0 to num_ranks - 1, got rank={self.rank}, num_ranks={self.num_ranks}"
            )

    def __iter__(self) -> Iterator[list[int]]:
        order, starts = self._order_and_starts()
        for start in starts[self.first_batch :]:
            yield order[start : start + self.batch_size].tolist()

    def __len__(self) -> int:
        """Return the number of batches in a whole pass of this process."""
        return len(self._order_and_starts()[1])

    def _order_and_starts(self) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], range]:
        """Return an order of videos, and where in it this process's batches begin."""
        count = len(self.dataset)
        order = np.arange(count)
        if self.shuffle:
            order = np.random.default_rng((self.seed, self.dataset.epoch)).permutation(count)
            order = np.resize(order, -(-count // self.num_ranks) * self.num_ranks)[
                self.rank :: self.num_ranks
            ]
        starts = range(0, len(order), self.batch_size)
        return order, starts if self.shuffle else starts[self.rank :: self.num_ranks]


class Batches(Protocol):
    """What training and scoring take clips from: ``ClipLoader``, or torch's loader of another data set.

    Attributes:
        dataset: Has ``set_epoch``.
        batch_sampler: An ``EpochOrder``; see :func:`begin_epoch`.
    """

    dataset: Any
    batch_sampler: Any

    def __len__(self) -> int:
        """Return the number of batches."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Yield (clips, labels, indices)."""
        ...


@dataclasses.dataclass(eq=False)
class ClipLoader:
    """Batches of clips, read here or in watched worker processes, the same with any number of them.

    They are ``Batch``: clips float32 (B, T, C, H, W), labels and indices. Call
    :func:`begin_epoch` before each pass. With a frame cache and no multi-scale crop a batch is one array
    operation: ``num_workers=0`` is fastest then.

    A worker that dies or hangs is replaced, and the video it was reading is named. In training that video, like
    one that can't be decoded, is replaced by another until ``max_bad_videos`` is used up.

    Args:
        dataset: The clips.
        batch_sampler: Which of them make a batch.
        num_workers: Worker processes, 0 for none. Without them a decoder that crashes or hangs takes this process
            with it.
        max_bad_videos: Share of the videos that may be replaced before it is an error; 0 replaces none.
        write: Told of each in a line.
        seconds: A video that takes longer to read is bad.

    Attributes:
        bad: By position, what is wrong with the videos that were replaced so far.
    """

    dataset: ClipDataset
    batch_sampler: EpochOrder
    _: dataclasses.KW_ONLY
    num_workers: int = 0
    max_bad_videos: float = 0.0
    write: Callable[[str], None] = lambda line: None
    seconds: float = 300.0

    def __post_init__(self) -> None:
        self.bad: dict[int, VideoError] = {}
        self._crashed: set[int] = set()
        cache = self.dataset.cache
        for index, reason in ({} if cache is None else cache.bad).items():
            self._add(index, VideoError(reason, where=str(self.dataset.records[index].path)))

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[Batch]:
        jobs = ((indices, frozenset(self.bad)) for indices in self.batch_sampler)
        replace = self.max_bad_videos > 0
        if self.num_workers:
            results = map_in_order(
                functools.partial(_read_in_worker, self.dataset, replace),
                jobs,
                num_workers=self.num_workers,
                retry=self._retry,
                seconds=self.seconds,
            )
        else:
            results = map(functools.partial(_read, self.dataset, replace), jobs)
        for batch, failed, indices in results:
            remember(indices)  # Workers of the next epoch start with it.
            for index, error in failed.items():
                self._add(index, error)
            clips, labels, index_B = batch
            if torch.cuda.is_available():
                clips, labels = clips.pin_memory(), labels.pin_memory()
            yield clips, labels, index_B

    def bad_video_ids(self) -> tuple[str, ...]:
        """Return the ids of the videos that were replaced so far, sorted."""
        return tuple(sorted(self.dataset.records[index].video_id for index in self.bad))

    def _retry(self, job: _Job, lost: Lost) -> _Job:
        """Return the batch to read again after a worker was lost: without the video it had, if that is at fault."""
        indices, _ = job
        if lost.noted is None:
            raise DynsearchError(
                f"a process that reads videos {lost.reason}, but not while reading one",
                hint="The machine may be out of memory or of shared memory; use fewer run.num_workers",
            )
        if lost.is_hang or lost.noted in self._crashed:
            path = str(self.dataset.records[lost.noted].path)
            self._add(lost.noted, VideoError(lost.reason, where=path, hint="Run `dynsearch data check`"))
        # A process may also be ended from outside, so a video is tried twice.
        self._crashed.add(lost.noted)
        return indices, frozenset(self.bad)

    def _add(self, index: int, error: VideoError) -> None:
        if index in self.bad:
            return
        if self.max_bad_videos == 0:
            raise error
        self.bad[index] = error
        self.write(f"left out of training: {error}")
        total = len(self.dataset)
        if len(self.bad) > self.max_bad_videos * total:
            first = "; ".join(f"{bad.where}: {bad.problem}" for bad in list(self.bad.values())[:3])
            raise DataError(
                f"{len(self.bad)} of {total} training videos can't be read, more than "
                f"max_bad_videos={self.max_bad_videos:g} allows, first {first}",
                hint="Run `dynsearch data check`, or raise training.max_bad_videos",
            )


_Job = tuple[list[int], frozenset[int]]


def _read(
    dataset: ClipDataset, replace: bool, job: _Job
) -> tuple[Batch, dict[int, VideoError], dict[FileState, FrameIndex]]:
    """Read one batch; return it, what is wrong with further videos, and the indices of files read first now."""
    indices, bad = job
    known = num_known()
    batch, failed = dataset.read(indices, bad, replace=replace)
    return batch, failed, known_since(known)


def _read_in_worker(
    dataset: ClipDataset, replace: bool, job: _Job
) -> tuple[Batch, dict[int, VideoError], dict[FileState, FrameIndex]]:
    """Read one batch in a worker, which a fork leaves without torch's threads."""
    torch.set_num_threads(1)
    return _read(dataset, replace, job)


def begin_epoch(loader: Batches, epoch: int, *, first_batch: int = 0) -> None:
    """Say which epoch, which decides order, frames and crops, the next pass over ``loader`` is, and where it begins.

    Batches before ``first_batch`` are not even read.
    """
    loader.dataset.set_epoch(epoch)
    loader.batch_sampler.first_batch = first_batch
