"""How far a mean over videos may be off on new ones, where videos come in groups: people, cameras, source files.

Videos of a group are alike, and new videos are those of new groups. So a mean's error is that of a ratio of sums over
groups (Cochran, Sampling Techniques, 1977, chapter 9), and is known with as many degrees of freedom as there are
groups, less one; groups of unequal size count for fewer (Kish, Survey Sampling, 1965).

Shapes: N videos, G groups, E exits.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

FEW_GROUPS = 20
_LEAST_FREEDOM = 0.1  # of one group, of which nothing can be said


class Groups:
    """The groups of N videos; a video without a name is a group of its own.

    Attributes:
        of_N: The group of each video, 0 to G - 1.
        size_G: How many videos each has.
        freedom: Degrees of freedom with which errors are known.
    """

    def __init__(self, names_N: NDArray[np.str_]) -> None:
        names_N = np.char.strip(names_N)
        names, self.of_N = np.unique(names_N, return_inverse=True)
        alone = np.flatnonzero(names_N == "")[1:]
        self.of_N[alone] = len(names) + np.arange(len(alone))
        self.size_G = np.bincount(self.of_N)
        self.freedom = max(len(names_N) ** 2 / float((self.size_G**2).sum()) - 1, _LEAST_FREEDOM)

    def __len__(self) -> int:
        return len(self.size_G)

    def sums(self, values_N: NDArray[Any]) -> NDArray[np.float64]:
        """Return (G,): the sum over each group's videos."""
        return np.bincount(self.of_N, values_N, minlength=len(self)).astype(np.float64, copy=False)

    def folds(self, num_folds: int, seed: int) -> NDArray[np.intp]:
        """Return (N,): the fold of each video, whole groups of about as many videos each."""
        order = np.random.default_rng(seed).permutation(len(self))
        middle_G = np.cumsum(self.size_G[order]) - self.size_G[order] / 2
        fold_G = np.empty(len(self), dtype=np.intp)
        fold_G[order] = np.unique((middle_G * num_folds / len(self.of_N)).astype(int), return_inverse=True)[1]
        return fold_G[self.of_N]

    def error(self, sums_G: NDArray[Any], variance: float = 0.0) -> float:
        """Return the standard error of a mean over videos, of which groups have the sums ``sums_G``.

        It is not below that of as many independent videos, each with ``variance``. By the jackknife: a large group
        pulls the mean towards itself (Cameron and Miller, A Practitioner's Guide to Cluster-Robust Inference, 2015).
        """
        count = len(self.of_N)
        left_G = (sums_G - sums_G.sum() / count * self.size_G) * count / np.maximum(count - self.size_G, 1)
        between = (len(self) - 1) / len(self) * float(left_G @ left_G)
        return math.sqrt(max(between, count * variance)) / count


class Spread(NamedTuple):
    """How far what was measured on groups of videos may be off.

    Attributes:
        num_groups: How many groups there were.
        freedom: Degrees of freedom of the errors.
        top1: Standard error of top-1; 0 where there are no labels.
        cost: Standard error of the mean cost.
        shares: How many times less the videos tell of exit shares than independent ones (Rao and Scott, 1981).
    """

    num_groups: int
    freedom: float
    top1: float
    cost: float
    shares: float

    @classmethod
    def of(
        cls,
        groups: Groups,
        exit_N: NDArray[Any],
        cost_E: NDArray[np.float64],
        right_N: NDArray[Any] | None = None,
    ) -> "Spread":
        """Return the spread of videos that stop at the exits ``exit_N`` and are right there or not."""
        size = len(groups), len(cost_E)
        count_GE = np.bincount(groups.of_N * size[1] + exit_N, minlength=math.prod(size)).reshape(size)
        share_E = count_GE.sum(axis=0) / len(exit_N)
        own_E = share_E * (1 - share_E)
        found = sum(groups.error(*of_exit) ** 2 for of_exit in zip(count_GE.T, own_E, strict=True))
        shares = found * len(exit_N) / own_E.sum() if own_E.any() else 1.0
        cost = groups.error(count_GE @ cost_E, float(share_E @ (cost_E - share_E @ cost_E) ** 2))
        top1 = 0.0 if right_N is None else groups.error(groups.sums(right_N), float(np.var(right_N)))
        return cls(len(groups), groups.freedom, top1, cost, float(shares))

    def times(self, level: float) -> float:
        """Return how many errors around a mean hold the true one with chance ``level``: Student's t."""
        return float(stdtrit(self.freedom, (1 + level) / 2))


def beyond(difference: float, error: float, freedom: float = math.inf) -> float:
    """Return the chance that a mean known with ``error`` is off by ``difference`` or more, to one side."""
    return float(stdtr(freedom, -difference / error))


def groups_note(num_videos: int, num_groups: int) -> str:
    """Return what is said of figures on videos in groups."""
    groups = f"{num_groups} group{'s' * (num_groups != 1)}"
    said = f"{num_videos} videos are of {groups}, and what is said of new videos counts groups"
    return f"{said}; so few can promise little of new ones" if num_groups < FEW_GROUPS else said
