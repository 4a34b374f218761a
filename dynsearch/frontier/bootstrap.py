"""Percentile bootstrap intervals for accuracy and cost, and for differences.

Resampling N videos with replacement draws how often each distinct outcome occurs from a multinomial
distribution; so whole resamples are drawn as counts, exactly, without touching the videos again.
(Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13.)

Videos that come in groups are not resampled one by one: their intervals are Student's, of what is known between groups
(:mod:`dynsearch.scores.spread`); those of differences reach further to the side to which few groups differ much (Hall,
On the Removal of Skewness by Transformation, 1992).

Shapes: N videos, E exits.
"""

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, ndtri

from dynsearch.errors import InputError
from dynsearch.scores.spread import Groups, Spread

_LEVEL = 0.95
_UNSEEN = 4  # videos
_FURTHER = 1.5  # times: skewness is itself not well known


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


def share_interval(
    share: float, num_videos: int, spread: Spread | None, *, num_resamples: int = 10_000
) -> Interval:
    """Return the 95% interval of a share of the videos, for instance top-1, by groups where there is a ``spread``.

    Then it is Clopper's and Pearson's for as many videos as would be as uncertain (Korn and Graubard, 1998).
    """
    if spread is None:
        return top1_interval(share, num_videos, num_resamples=num_resamples)
    error = spread.top1 * spread.times(_LEVEL) / float(ndtri((1 + _LEVEL) / 2))
    worth = float(spread.num_groups)
    if error > 0:
        worth = min(share * (1 - share) / error**2, num_videos)
    right, tail = share * worth, (1 - _LEVEL) / 2
    low = 0.0 if share == 0 else float(betaincinv(right, worth - right + 1, tail))
    return Interval(low, 1.0 if share == 1 else float(betaincinv(right + 1, worth - right, 1 - tail)))


def cost_interval(
    exit_share_E: ArrayLike,
    cost_E: ArrayLike,
    num_videos: int,
    spread: Spread | None = None,
    *,
    num_resamples: int = 10_000,
) -> Interval:
    """Return the interval of the mean cost per video, from the exit shares of ``num_videos`` videos."""
    _check(_LEVEL, num_resamples)
    share_E = np.asarray(exit_share_E, dtype=np.float64)
    if spread is not None:
        cost_E = np.asarray(cost_E)
        around = share_E @ cost_E + np.array([-1, 1]) * spread.cost * spread.times(_LEVEL)
        return Interval(*around.clip(cost_E[0], cost_E[-1]).tolist())
    counts = np.random.default_rng(0).multinomial(num_videos, share_E / share_E.sum(), size=num_resamples)
    return _percentiles(counts / num_videos @ np.asarray(cost_E, dtype=np.float64), _LEVEL)


def bootstrap_difference(
    correct_a_N: NDArray[Any],
    correct_b_N: NDArray[Any],
    groups: Groups | None = None,
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
    if groups:
        won_N = a_N.astype(np.int8) - b_N
        own, won = Spread.of(groups, won_N + 1, np.array([-1.0, 0.0, 1.0])), float(won_N.mean())
        # Few tell less than they seem to, and none seen is not none: some more are taken as seen (Agresti and Coull).
        error = max(own.cost, math.sqrt(np.count_nonzero(won_N) + _UNSEEN) / len(a_N))
        more_G, times = groups.sums(won_N - won), own.times(_LEVEL)
        skew = np.array([-1, 1]) * (more_G**3).sum() / max((more_G**2).sum() ** 1.5, 1e-300)
        reach = times if not skew.all() else 3 / skew * (1 - np.cbrt(1 - skew * times - skew**2 / 6))
        ends = won + np.array([-1, 1]) * error * np.clip(reach, times, _FURTHER * times)
        return Interval(*ends.clip(-1, 1).tolist())
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
