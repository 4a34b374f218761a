"""Confidences as bin numbers, so that all positions of a threshold are scored by one histogram.

Shapes: E exits, N videos.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.thresholds.between import between

Positions = tuple[int, ...]
"""For every exit but the last: a video stops there when its bin number is above the position."""


@dataclass(frozen=True, eq=False)
class Bins:
    """Bin numbers of every exit but the last.

    Args:
        codes: (E - 1, N) bin numbers from 1 (least sure) up; 0 is for NaN, which never stops.
        thresholds: For each exit, the threshold of each position: ``-inf`` at 0 (always stop), half-way
            between neighbouring bins, ``inf`` at the end (never stop).
        num_bins: The largest bin number of any exit.
    """

    codes: NDArray[np.signedinteger]
    thresholds: tuple[NDArray[np.float64], ...]
    num_bins: int

    def thresholds_at(self, positions: Sequence[int]) -> tuple[float, ...]:
        """Return the E thresholds of a policy, the last exit's ``-inf`` included."""
        values = [
            float(table[min(position, len(table) - 1)])
            for table, position in zip(self.thresholds, positions, strict=True)
        ]
        return (*values, -math.inf)

    def select(self, videos: NDArray[np.intp]) -> Bins:
        """Return the same bins for some of the videos."""
        return Bins(self.codes.take(videos, 1), self.thresholds, self.num_bins)


def bin_confidences(confidence_EN: NDArray[np.float64], max_bins: int) -> Bins:
    """Return bins of equal mass, at most ``max_bins`` an exit; equal confidences share a bin.

    With at most ``max_bins`` different confidences nothing is lost: each has its own bin.
    """
    num_exits, num_videos = confidence_EN.shape
    # Two bytes are usually enough, and are compared and sorted several times as fast as eight.
    codes = np.zeros((num_exits - 1, num_videos), dtype=np.min_scalar_type(-max_bins - 1))
    thresholds = []
    for k in range(num_exits - 1):
        usable = confidence_EN[k] > -math.inf
        if not usable.any():
            thresholds.append(np.array([math.inf]))
            continue
        values, inverse, counts = np.unique(confidence_EN[k][usable], return_inverse=True, return_counts=True)
        bin_of_value = _equal_mass(counts, max_bins)
        codes[k, usable] = bin_of_value[inverse] + 1
        starts = np.flatnonzero(np.diff(bin_of_value, prepend=-1))
        inner = [between(float(values[start - 1]), float(values[start])) for start in starts[1:]]
        thresholds.append(np.array([-math.inf, *inner, math.inf]))
    return Bins(codes, tuple(thresholds), max((len(table) - 1 for table in thresholds), default=0))


def _equal_mass(counts: NDArray[np.intp], max_bins: int) -> NDArray[np.intp]:
    """Return the bin, from 0 up without gaps, of each of the values that occur ``counts`` times."""
    if len(counts) <= max_bins:
        return np.arange(len(counts))
    middle = np.cumsum(counts) - counts / 2
    rising = np.floor(middle / counts.sum() * max_bins)
    return np.cumsum(np.diff(rising, prepend=rising[0]) > 0)


def systematic_sample(columns_RN: NDArray[Any], size: int) -> NDArray[np.intp]:
    """Return about every (N / size)-th video of the videos sorted by ``columns_RN``, last row first.

    The choice does not depend on the order of the videos, and keeps the distribution of the first key. Videos alike in
    all rows are interchangeable.
    """
    order = np.lexsort(columns_RN)
    return np.sort(order[np.linspace(0, len(order) - 1, size).round().astype(np.intp)])
