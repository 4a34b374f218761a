"""Drift: whether new videos stop where the calibration videos did, and thresholds that restore it.

Neither needs labels. When the confidences of new videos shift, a fixed policy costs more or less than it
was chosen for, and nobody notices.

Shapes: E exits, N videos.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtri

from dynsearch.scores import ExitScores
from dynsearch.scores.spread import Spread, beyond
from dynsearch.thresholds.geometric import threshold_for_count
from dynsearch.thresholds.operating_point import OperatingPoint, evaluate_points
from dynsearch.thresholds.policy import ExitPolicy

_SIMULATIONS = 4000
_SURE = 0.995  # of the level that is usual here, by which few groups count for less


@dataclass(frozen=True)
class Drift:
    """How new videos stop, against how calibration videos did.

    Args:
        exit_share: Share of the new videos that stop at each exit.
        cost: Their mean cost per video.
        share_p_value: Chance of exit shares this far apart if nothing had changed.
        cost_p_value: Chance of mean costs this far apart if nothing had changed.
        top1: Top-1 of the new videos whose labels are known; None where there are none.
        num_labelled: How many these are.
        top1_p_value: Chance of a top-1 this far from what was expected if nothing had changed.
    """

    exit_share: tuple[float, ...]
    cost: float
    share_p_value: float
    cost_p_value: float
    top1: float | None = None
    num_labelled: int = 0
    top1_p_value: float = 1.0

    def moved(self, level: float = 0.01) -> bool:
        """Return whether exit shares or cost moved beyond chance; each is tested at half the level."""
        return min(self.share_p_value, self.cost_p_value) <= level / 2

    def other_top1(self, level: float = 0.01) -> bool:
        """Return whether top-1 of the labelled videos is another one than expected, beyond chance."""
        return self.top1_p_value <= level


def check_drift(
    point: OperatingPoint, scores: ExitScores, labelled: ExitScores | None = None, *, seed: int = 0
) -> Drift:
    """Compare where new videos stop with where those stopped that the point was measured on; no labels are needed.

    Top-1 is compared too on ``labelled``, those of them whose labels are known.

    Raises:
        PolicyError: The policy does not fit the scores.
    """
    point.policy.check_fits(scores.num_exits, scores.plan_id)
    exit_N = point.policy.first_exit(point.policy.confidence_of(scores))
    new_E = np.bincount(exit_N, minlength=scores.num_exits)
    spread = Spread.of(scores.groups, exit_N, scores.cost_E) if scores.groups else None
    found = drift_of(point, new_E, scores.cost_E, spread, seed=seed)
    if labelled is None:
        return found
    (now,) = evaluate_points([point], labelled)
    p_value = _top1_p_value(point, now)
    return replace(found, top1=now.top1, num_labelled=now.num_videos, top1_p_value=p_value)


def drift_of(
    point: OperatingPoint,
    new_E: NDArray[np.int64],
    cost_E: NDArray[np.float64],
    spread: Spread | None = None,
    *,
    seed: int = 0,
) -> Drift:
    """Return the same from the number of new videos that stopped at each exit, and their ``spread`` over groups."""
    old_E = np.rint(np.array(point.exit_share) * point.num_videos).astype(np.int64)
    share_E = new_E / new_E.sum()
    return Drift(
        exit_share=tuple(share_E.tolist()),
        cost=float(share_E @ cost_E),
        share_p_value=_share_p_value(_worth(old_E, point.spread), _worth(new_E, spread), seed),
        cost_p_value=_cost_p_value(old_E, new_E, cost_E, (point.spread, spread)),
    )


def rematch(point: OperatingPoint, scores: ExitScores) -> ExitPolicy:
    """Return thresholds under which the videos of ``scores`` stop as often at each exit as the point's did.

    Raises:
        PolicyError: The policy does not fit the scores.
    """
    point.policy.check_fits(scores.num_exits, scores.plan_id)
    confidence_EN = point.policy.confidence_of(scores)
    left_N = np.ones(scores.num_videos, dtype=bool)
    wanted_E = np.rint(np.cumsum(point.exit_share) * scores.num_videos).astype(np.int64)
    thresholds = []
    for confidence_N, wanted, share in zip(
        confidence_EN[:-1], wanted_E[:-1], point.exit_share[:-1], strict=True
    ):
        count = wanted - (scores.num_videos - np.count_nonzero(left_N))
        usable = confidence_N[left_N & (confidence_N > -math.inf)]
        falling = -np.sort(-usable)
        threshold = threshold_for_count(falling, max(int(count), 0)) if share > 0 else math.inf
        thresholds.append(threshold)
        left_N &= ~(confidence_N > threshold)
    return replace(point.policy, thresholds=(*thresholds, -math.inf))


def _top1_p_value(old: OperatingPoint, new: OperatingPoint) -> float:
    """Two-sided test that two shares are equal, as if each had one video more of either kind; by groups Student's t."""
    errors = []
    for point in (old, new):
        top1, count = (point.top1 * point.num_videos + 1) / (point.num_videos + 2), point.num_videos
        own = math.sqrt(top1 * (1 - top1) / count)
        errors.append(max(own, point.spread.top1) if point.spread else own)
    freedom = min(point.spread.freedom if point.spread else math.inf for point in (old, new))
    return 2 * beyond(abs(old.worth - new.top1), math.hypot(*errors), freedom)


def _worth(count_E: NDArray[np.int64], spread: Spread | None) -> NDArray[np.int64]:
    """Return counts of as many independent videos as would tell as much of exit shares."""
    if spread is None:
        return count_E
    less = max(spread.shares, 1.0) * (spread.times(_SURE) / ndtri((1 + _SURE) / 2)) ** 2
    return np.maximum(np.rint(count_E / less), count_E.argmax() == np.arange(len(count_E))).astype(np.int64)


def _share_p_value(old_E: NDArray[np.int64], new_E: NDArray[np.int64], seed: int) -> float:
    """Chi-square test of homogeneity; its distribution is simulated, so that few videos are no problem."""
    rng = np.random.default_rng(seed)
    pooled_E = (old_E + new_E) / (old_E.sum() + new_E.sum())
    simulated = _chi_square(
        rng.multinomial(old_E.sum(), pooled_E, size=_SIMULATIONS),
        rng.multinomial(new_E.sum(), pooled_E, size=_SIMULATIONS),
    )
    seen = _chi_square(old_E[None], new_E[None])[0]
    above = np.count_nonzero(simulated >= seen - 1e-12)
    # Beyond what simulations tell apart, by the distribution that many videos have.
    return float(
        (1 + above) / (1 + _SIMULATIONS) if above else min(1 / _SIMULATIONS, chdtrc(len(old_E) - 1, seen))
    )


def _chi_square(old_RE: NDArray[np.int64], new_RE: NDArray[np.int64]) -> NDArray[np.float64]:
    both_RE = old_RE + new_RE
    old_share = old_RE.sum(axis=1, keepdims=True) / both_RE.sum(axis=1, keepdims=True)
    expected_RE = both_RE * old_share
    # Of a 2 x E table: both rows' terms together, over the columns that are not empty.
    spread_RE = np.where(both_RE > 0, both_RE * old_share * (1 - old_share), 1.0)
    result: NDArray[np.float64] = ((old_RE - expected_RE) ** 2 / spread_RE).sum(axis=1)
    return result


def _cost_p_value(
    old_E: NDArray[np.int64],
    new_E: NDArray[np.int64],
    cost_E: NDArray[np.float64],
    spreads: tuple[Spread | None, Spread | None],
) -> float:
    """Two-sided test that two mean costs are equal, by the central limit theorem, or Student's t between groups."""
    pooled_E = (old_E + new_E) / (old_E.sum() + new_E.sum())
    variance = float(pooled_E @ (cost_E - pooled_E @ cost_E) ** 2)
    counts = old_E.sum(), new_E.sum()
    errors = [
        math.sqrt(variance / n) if own is None else own.cost for n, own in zip(counts, spreads, strict=True)
    ]
    error, freedom = math.hypot(*errors), min(own.freedom if own else math.inf for own in spreads)
    difference = float(new_E @ cost_E / new_E.sum() - old_E @ cost_E / old_E.sum())
    return 1.0 if error == 0 else 2 * beyond(abs(difference), error, freedom)
