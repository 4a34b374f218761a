"""Percentile bootstrap intervals for accuracy and cost, and for differences.

Resampling N videos with replacement draws how often each distinct outcome occurs from a multinomial
distribution; so whole resamples are drawn as counts, exactly, without touching the videos again.
(Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13.)

Shapes: N videos, E exits.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dynsearch.errors import InputError

_LEVEL = 0.95


class Interval(NamedTuple):
    """Two ends of an interval, in the unit of what it is about."""

    low: float
    high: float


@functools.lru_cache(maxsize=4096)
def top1_interval(
    top1: float, num_videos: int, *, level: float = _LEVEL, num_resamples: int = 10_000
) -> Interval:
    """Return the interval of a share ``top1`` measured on ``num_videos`` videos."""
    _check(level, num_resamples)
    right = np.random.default_rng(0).binomial(num_videos, top1, size=num_resamples)
    return _percentiles(right / num_videos, level)


def cost_interval(
    exit_share_E: ArrayLike,
    cost_E: ArrayLike,
    num_videos: int,
    *,
    num_resamples: int = 10_000,
) -> Interval:
    """Return the interval of the mean cost per video, from the exit shares of ``num_videos`` videos."""
    _check(_LEVEL, num_resamples)
    share_E = np.asarray(exit_share_E, dtype=np.float64)
    counts = np.random.default_rng(0).multinomial(num_videos, share_E / share_E.sum(), size=num_resamples)
    return _percentiles(counts / num_videos @ np.asarray(cost_E, dtype=np.float64), _LEVEL)


def bootstrap_difference(
    correct_a_N: NDArray[Any],
    correct_b_N: NDArray[Any],
    *,
    num_resamples: int = 10_000,
) -> Interval:
    """Return the interval of top-1 of a minus top-1 of b, paired: both are right or wrong on the same videos.

    Raises:
        InputError: The two are empty or differ in length.
    """
    _check(_LEVEL, num_resamples)
    a_N, b_N = np.asarray(correct_a_N, dtype=bool), np.asarray(correct_b_N, dtype=bool)
    if a_N.ndim != 1 or a_N.shape != b_N.shape or len(a_N) == 0:
        raise InputError(f"a paired difference needs the same videos twice, got {a_N.shape} and {b_N.shape}")
    only_a, only_b = np.count_nonzero(a_N & ~b_N), np.count_nonzero(b_N & ~a_N)
    share = np.array([only_a, only_b, len(a_N) - only_a - only_b]) / len(a_N)
    counts = np.random.default_rng(0).multinomial(len(a_N), share, size=num_resamples)
    return _percentiles((counts[:, 0] - counts[:, 1]) / len(a_N), _LEVEL)


def _percentiles(values: NDArray[np.float64], level: float) -> Interval:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def _check(level: float, num_resamples: int) -> None:
    if not 0 < level < 1:
        raise InputError(f"the level of an interval must be between 0 and 1, got {level}")
    if num_resamples < 1:
        raise InputError(f"num_resamples must be at least 1, got {num_resamples}")
