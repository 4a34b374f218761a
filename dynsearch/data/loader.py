"""Batches of clips in an order that depends on the seed and the epoch only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from dynsearch.data.clips import Batch, Clip, ClipDataset
from dynsearch.errors import InputError


class EpochOrder(Sampler[list[int]]):
    """Batches of indices in the order of (seed, ``dataset.epoch``).

    Args:
        dataset: Its length and its epoch are looked at when a pass begins.
        batch_size: B.
        shuffle: Draw an order; otherwise they come as they are.
        seed: Seed of the order.
        drop_last: Leave out a last batch that is not full.
        rank: Which of the ``num_ranks`` processes of a distributed training this is.
        num_ranks: Each takes every ``num_ranks``-th video. A shuffled order is filled up from its start,
            so that all take the same number of steps; an order as it is never repeats a video.
    """

    def __init__(
        self,
        dataset: ClipDataset,
        batch_size: int,
        *,
        shuffle: bool,
        seed: int,
        drop_last: bool = False,
        rank: int = 0,
        num_ranks: int = 1,
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size must be at least 1, got {batch_size}")
        if not 0 <= rank < num_ranks:
            raise InputError(f"rank must be from 0 to num_ranks - 1, got rank={rank}, num_ranks={num_ranks}")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.drop_last = drop_last
        self.rank = rank
        self.num_ranks = num_ranks

    def __iter__(self) -> Iterator[list[int]]:
        order = self._own_indices()
        end = len(order) - len(order) % self.batch_size if self.drop_last else len(order)
        for start in range(0, end, self.batch_size):
            yield order[start : start + self.batch_size].tolist()

    def __len__(self) -> int:
        count = len(self._own_indices())
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def _own_indices(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        count = len(self.dataset)
        order = np.arange(count)
        if self.shuffle:
            order = np.random.default_rng((self.seed, self.dataset.epoch)).permutation(count)
            order = np.resize(order, -(-count // self.num_ranks) * self.num_ranks)
        return order[self.rank :: self.num_ranks]


def make_loader(
    dataset: ClipDataset,
    batch_size: int,
    *,
    shuffle: bool,
    num_workers: int = 0,
    seed: int = 0,
    drop_last: bool = False,
    rank: int = 0,
    num_ranks: int = 1,
) -> DataLoader[Clip]:
    """Return a loader whose batches are ``Batch``: clips float32 (B, T, C, H, W), labels and indices.

    The batches are the same with any number of workers. Call ``dataset.set_epoch`` before each pass. With a
    frame cache and no multi-scale crop a batch is one array operation: ``num_workers=0`` is fastest then.

    Args:
        dataset: The clips.
        batch_size: B, per rank.
        shuffle: Draw the order of each epoch.
        num_workers: Worker processes, 0 for none.
        seed: Seed of the order.
        drop_last: Leave out a last batch that is not full.
        rank: Which process of a distributed training this is.
        num_ranks: How many there are.

    Raises:
        InputError: A number is out of range.
    """
    order = EpochOrder(
        dataset,
        batch_size,
        shuffle=shuffle,
        seed=seed,
        drop_last=drop_last,
        rank=rank,
        num_ranks=num_ranks,
    )
    return DataLoader(
        dataset,
        batch_sampler=order,
        num_workers=num_workers,
        collate_fn=_as_it_is,
        pin_memory=torch.cuda.is_available(),
    )


def _as_it_is(batch: Any) -> Batch:
    # ``ClipDataset.__getitems__`` has made the batch already.
    return batch
