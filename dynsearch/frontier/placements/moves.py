"""What every change of one exit, its cell and threshold together, would make of a chain.

The value of a chain is a sum over videos, so all thresholds of a changed exit are scored by one histogram over
the videos that reach it (as ``thresholds.direct`` does for a fixed placement).

An *outcome* is where a video stops and whether it is right there: 2 * exit + right.

Shapes: E exits, N videos, C cells, X cells tried, R videos that reach an exit, P positions of a threshold.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynsearch.frontier.placements.cells import Cells, Chain
from dynsearch.thresholds.direct.gains import Value, sum_above
from dynsearch.thresholds.direct.smoothing import smoothed


class Offers(NamedTuple):
    """Chains that differ in one exit, with their mean accuracy (0..1), smoothed over positions, and mean cost.

    ``chain`` makes the chain at a place of these.
    """

    accuracy_XP: NDArray[np.float64]
    cost_XP: NDArray[np.float64]
    chain: Callable[[int, int], Chain]


class Moves:
    """All changes of one exit of one chain.

    ``width`` is of the smoothing of accuracy over positions, in bins; 1 is none.
    """

    def __init__(self, cells: Cells, chain: Chain, width: int) -> None:
        self._cells, self._chain, self._width = cells, chain, width
        self._cost_E = cells.steps.cost_E(chain.cells)
        num_exits = len(chain.cells)
        # outcome_EN[k]: of each video, if it came to exit k.
        self._outcome_EN = np.empty((num_exits, cells.num_videos), dtype=np.min_scalar_type(2 * num_exits))
        stop_EN = np.empty((num_exits, cells.num_videos), dtype=bool)
        for k in range(num_exits - 1, -1, -1):
            here_N = cells.correct_CN[chain.cells[k]] + np.uint8(2 * k)
            if k == num_exits - 1:
                self._outcome_EN[k] = here_N
                continue
            np.greater(cells.bins.codes[chain.cells[k]], chain.positions[k], out=stop_EN[k])
            self._outcome_EN[k] = np.where(stop_EN[k], here_N, self._outcome_EN[k + 1])
        self._reaching: list[NDArray[np.intp]] = [np.arange(cells.num_videos)]
        for k in range(num_exits - 1):
            left_R = self._reaching[-1]
            self._reaching.append(left_R[~stop_EN[k][left_R]])
        self._count_E2 = np.bincount(self._outcome_EN[0], minlength=2 * num_exits).reshape(-1, 2)

    @property
    def value(self) -> Value:
        """The chain's own accuracy and cost, not smoothed."""
        right, cost = self._stopped_before(len(self._chain.cells))
        return Value(float(right / self._cells.num_videos), float(cost / self._cells.num_videos))

    def offers(self) -> Iterator[Offers]:
        """Yield all chains that differ in one exit: in its cell or threshold, or by one exit more or less."""
        rules, num_exits = self._cells.rules, len(self._chain.cells)
        for k in range(num_exits - 1):
            yield from self._set_inner(k, replace=True)
        if num_exits < rules.max_exits:
            for k in range(num_exits):
                yield from self._set_inner(k, replace=False)
        if num_exits > rules.min_exits:
            for k in range(num_exits - 1):
                if self._cells.follows(self._before(k), self._chain.cells[k + 1]):
                    yield self._without(k)
        if rules.last == "free":
            yield from self._set_last()

    def _set_inner(self, k: int, *, replace: bool) -> Iterator[Offers]:
        """Offer all exits in the place of exit k, or before it."""
        cells, positions = self._chain
        following = k + 1 if replace else k
        steps, before = self._cells.steps, self._before(k)
        tried_X = self._cells.between(before, cells[following])
        if len(tried_X) == 0:
            return
        today = self._detour(k) if replace else steps.direct(before, cells[k])
        added_X = steps.detour(before, tried_X, cells[following]) - today
        stop_X = self._reach(k, tried_X)
        right, cost = self._stopped_before(k)
        accuracy_XP, cost_XP = self._thresholds(self._reaching[k], following, tried_X, stop_X, added_X)

        def chain(x: int, position: int) -> Chain:
            return Chain(
                (*cells[:k], int(tried_X[x]), *cells[following:]),
                (*positions[:k], position, *positions[following:]),
            )

        yield self._offered(right + accuracy_XP, cost + cost_XP, chain)

    def _thresholds(
        self,
        reaching_R: NDArray[np.intp],
        following: int,
        tried_X: NDArray[np.intp],
        stop_X: NDArray[np.float64],
        added_X: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return right answers and cost, summed over the videos that reach an exit, for all its thresholds.

        ``following`` is the exit they come to if they do not stop, ``tried_X`` the cells the exit may sit on,
        ``stop_X`` the cost of a video that stops there, ``added_X`` that added to every video that goes on.
        """
        num_positions = self._cells.num_positions
        outcome_J = np.arange(2 * following, 2 * len(self._cost_E))
        base_R = (self._outcome_EN[following][reaching_R].astype(np.intp) - outcome_J[0]) * (
            2 * num_positions
        )
        counts_XJ2P = np.empty((len(tried_X), len(outcome_J), 2, num_positions))
        everyone = len(reaching_R) == self._cells.num_videos
        for x, cell in enumerate(tried_X):
            key_R = self._cells.key_CN[cell] if everyone else self._cells.key_CN[cell][reaching_R]
            counts = np.bincount(base_R + key_R, minlength=counts_XJ2P[0].size)
            counts_XJ2P[x] = counts.reshape(counts_XJ2P.shape[1:])
        later_J = self._cost_E[outcome_J // 2]
        count_J = counts_XJ2P[0].sum(axis=(1, 2))
        won_XP = counts_XJ2P[:, :, 1].sum(axis=1) - counts_XJ2P[:, outcome_J % 2 == 1].sum(axis=(1, 2))
        stopped_XP = counts_XJ2P.sum(axis=(1, 2))
        spared_XP = np.einsum("j,xjrp->xp", later_J, counts_XJ2P)
        go_X = (count_J @ later_J) + len(reaching_R) * added_X
        accuracy_XP = count_J[outcome_J % 2 == 1].sum() + sum_above(smoothed(won_XP, self._width))
        cost_XP = go_X[:, None] + sum_above((stop_X - added_X)[:, None] * stopped_XP - spared_XP)
        return accuracy_XP, cost_XP

    def _without(self, k: int) -> Offers:
        """Offer the chain without exit k, which is not the last."""
        cells, positions = self._chain
        right, cost = self._stopped_before(k)
        reaching_R = self._reaching[k]
        counts = np.bincount(self._outcome_EN[k + 1][reaching_R], minlength=2 * len(cells)).reshape(-1, 2)
        right += counts[:, 1].sum()
        spared = self._detour(k) - self._cells.steps.direct(self._before(k), cells[k + 1])
        cost += counts.sum(axis=1) @ self._cost_E - spared * len(reaching_R)
        chain = Chain((*cells[:k], *cells[k + 1 :]), (*positions[:k], *positions[k + 1 :]))
        return self._offered(np.array([[right]]), np.array([[cost]]), lambda x, position: chain)

    def _set_last(self) -> Iterator[Offers]:
        """Offer all cells for the last exit; all further exits behind it; and the chain without it."""
        cells, positions = self._chain
        num_exits = len(cells)
        reaching_R = self._reaching[-1]
        tried_X = self._cells.between(self._before(num_exits - 1), None)
        right, cost = self._stopped_before(num_exits - 1)
        cost_X = self._reach(num_exits - 1, tried_X)
        right_X = right + self._cells.correct_CN[tried_X][:, reaching_R].sum(axis=1)
        yield self._offered(
            right_X[:, None],
            (cost + len(reaching_R) * cost_X)[:, None],
            lambda x, position: Chain((*cells[:-1], int(tried_X[x])), positions),
        )
        if num_exits < self._cells.rules.max_exits:
            yield from self._append(right, cost)
        if num_exits > max(self._cells.rules.min_exits, 1):
            right, cost = self._stopped_before(num_exits - 2)
            reaching_R = self._reaching[-2]
            right += np.count_nonzero(self._cells.correct_CN[cells[-2]][reaching_R])
            cost += self._cost_E[-2] * len(reaching_R)
            chain = Chain(cells[:-1], positions[:-1])
            yield self._offered(np.array([[right]]), np.array([[cost]]), lambda x, position: chain)

    def _append(self, right: float, cost: float) -> Iterator[Offers]:
        cells, positions = self._chain
        reaching_R, num_positions = self._reaching[-1], self._cells.num_positions
        tried_X = self._cells.between(cells[-1], None)
        if len(tried_X) == 0:
            return
        key_R = self._cells.key_CN[cells[-1]][reaching_R]
        later_XR = self._cells.correct_CN[tried_X][:, reaching_R]
        counts_X22P = np.stack(
            [
                np.bincount(key_R + 2 * num_positions * right_R.astype(np.intp), minlength=4 * num_positions)
                for right_R in later_XR
            ]
        ).reshape(-1, 2, 2, num_positions)
        cost_X = self._reach(len(cells), tried_X)
        won_XP = (counts_X22P[:, :, 1].sum(axis=1) - counts_X22P[:, 1].sum(axis=1)).astype(np.float64)
        stopped_XP = counts_X22P.sum(axis=(1, 2))
        yield self._offered(
            right + later_XR.sum(axis=1)[:, None] + sum_above(smoothed(won_XP, self._width)),
            cost
            + len(reaching_R) * cost_X[:, None]
            + sum_above((self._cost_E[-1] - cost_X)[:, None] * stopped_XP),
            lambda x, position: Chain((*cells, int(tried_X[x])), (*positions, position)),
        )

    def _before(self, k: int) -> int | None:
        """Return the cell of the exit before exit k; None if that is the first."""
        return self._chain.cells[k - 1] if k else None

    def _reach(self, k: int, tried_X: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the cost of a video at exit k if it sat on each of some cells."""
        return self._cells.steps.reach(self._before(k), self._cost_E[k - 1] if k else 0.0, tried_X)

    def _detour(self, k: int) -> float:
        """Return the cost of the way from the exit before exit k to the one after it."""
        cells = self._chain.cells
        return float(self._cells.steps.detour(self._before(k), np.array([cells[k]]), cells[k + 1])[0])

    def _stopped_before(self, k: int) -> tuple[float, float]:
        """Return right answers and cost, summed over the videos that stop before exit k."""
        count_K2 = self._count_E2[:k]
        return float(count_K2[:, 1].sum()), float(count_K2.sum(axis=1) @ self._cost_E[:k])

    def _offered(self, right: Any, cost: Any, chain: Callable[[int, int], Chain]) -> Offers:
        return Offers(right / self._cells.num_videos, cost / self._cells.num_videos, chain)
