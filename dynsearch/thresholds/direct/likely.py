"""How likely each exit is to be right, from how sure it and the exits before it are.

Few labels are mostly luck: what they say is mixed with a logistic regression for each exit. Its features are ranks
of confidence, and its weights change little from exit to exit; how little, and how much the labels say beyond it,
is found by cross-validation. The more videos, the more the labels themselves count.

Shapes: E exits, N videos, F features.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtri

from dynsearch.thresholds.direct.smoothing import smoothed, smoothing_width

_WALKS = (1.0, 5.0, 25.0, 125.0)  # how stiff weights are from exit to exit, from hardly to very
_RIDGE = np.array([0.01, 1.0, 1.0])  # of every weight: almost none on the intercept
_FOLDS = 5
_STEPS = 12
_LONGEST_STEP = 3.0


def likely_right(
    confidence_EN: NDArray[np.float64], correct_EN: NDArray[np.bool_], bandwidth: float
) -> NDArray[np.float64]:
    """Return (E, N): how likely each exit is right, the labels included as far as they say more than luck would.

    The result follows the order of the videos, and depends on confidences by their ranks only. ``bandwidth`` is that
    of :func:`~dynsearch.thresholds.direct.smoothing.smoothing_width`.
    """
    ranks_EN = np.stack([_normal_ranks(row) for row in confidence_EN])
    before_EN = np.cumsum(ranks_EN, axis=0) - ranks_EN
    before_EN /= np.maximum(np.arange(len(ranks_EN)), 1)[:, None]
    features_EFN = np.stack([np.ones_like(ranks_EN), ranks_EN, before_EN], axis=1)
    right_EN = correct_EN.astype(np.float64)
    weights_EF = _fitted(features_EFN, right_EN, _best_walk(features_EFN, right_EN))
    likely_EN = expit(_logits(features_EFN, weights_EF))
    left_EN = right_EN - likely_EN
    result: NDArray[np.float64] = likely_EN + _share_beyond_luck(ranks_EN, left_EN, bandwidth) * left_EN
    return result


def _normal_ranks(confidence_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks on the scale of a normal variable, ties in their middle; 0, the middle, where there is none."""
    known = ~np.isnan(confidence_N)
    ranks = np.zeros(len(confidence_N))
    _, places = np.unique(confidence_N[known], return_inverse=True)
    counts = np.bincount(places)
    # scipy.stats has rankdata, and takes .7 seconds to load.
    middles = np.cumsum(counts) - counts / 2
    ranks[known] = ndtri(middles[places] / max(len(places), 1))
    return ranks


def _best_walk(features_EFN: NDArray[np.float64], right_EN: NDArray[np.float64]) -> float:
    """Return the stiffness under which videos of other folds are likeliest; the largest where there are too few."""
    num_videos = right_EN.shape[1]
    if num_videos < 2 * _FOLDS:
        return _WALKS[-1]
    fold_N = np.empty(num_videos, dtype=np.intp)
    # Spread over the folds by all that is known of them: the same folds in whatever order the videos come.
    fold_N[np.lexsort(np.vstack([right_EN, features_EFN[:, 1]]))] = np.arange(num_videos) % _FOLDS
    loss_of = dict.fromkeys(_WALKS, 0.0)
    for fold in range(_FOLDS):
        fit, held = fold_N != fold, fold_N == fold
        weights_EF = np.zeros(features_EFN.shape[:2])
        for walk in reversed(_WALKS):
            weights_EF = _fitted(features_EFN[..., fit], right_EN[:, fit], walk, weights_EF)
            logits_EN = _logits(features_EFN[..., held], weights_EF)
            loss_of[walk] += float((np.logaddexp(0, logits_EN) - right_EN[:, held] * logits_EN).sum())
    return min(_WALKS, key=loss_of.__getitem__)


def _fitted(features_EFN: Any, right_EN: Any, walk: float, start_EF: Any = None) -> NDArray[np.float64]:
    """Return the likeliest weights by Newton's method, under a penalty on them and on their steps between exits."""
    num_exits, num_features, _ = features_EFN.shape
    steps = np.diff(np.eye(num_exits), axis=0)
    penalty = np.kron(walk * steps.T @ steps, np.eye(num_features)) + np.diag(np.tile(_RIDGE, num_exits))
    weights_EF = np.zeros((num_exits, num_features)) if start_EF is None else start_EF
    for _ in range(_STEPS):
        likely_EN = expit(_logits(features_EFN, weights_EF))
        slope = ((right_EN - likely_EN)[:, None] * features_EFN).sum(
            axis=2
        ).ravel() - penalty @ weights_EF.ravel()
        bend = penalty.copy()
        weighed_EFN = features_EFN * (likely_EN * (1 - likely_EN))[:, None]
        for k, block in enumerate(weighed_EFN @ features_EFN.swapaxes(1, 2)):
            own = slice(k * num_features, (k + 1) * num_features)
            bend[own, own] += block
        step = np.linalg.solve(bend, slope)
        longest = float(np.abs(step).max())
        weights_EF = weights_EF + (step * min(1.0, _LONGEST_STEP / max(longest, 1e-9))).reshape(
            weights_EF.shape
        )
        if longest < 1e-4:
            break
    return weights_EF


def _logits(features_EFN: NDArray[np.float64], weights_EF: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.einsum("ef,efn->en", weights_EF, features_EFN)
    return result


def _share_beyond_luck(
    ranks_EN: NDArray[np.float64], left_EN: NDArray[np.float64], bandwidth: float
) -> float:
    """Return which part, 0 to 1, of what the fit leaves of each label its neighbours in confidence foretell.

    Of all multiples of the mean over a video's neighbours, itself left out, the one nearest to it.
    """
    num_videos = left_EN.shape[1]
    width = smoothing_width(num_videos, num_videos, bandwidth)
    alone = np.zeros(6 * width + 2)
    alone[3 * width + 1] = 1.0
    own = smoothed(alone, width).max()
    if own > 0.5:
        return 0.0
    order_EN = np.argsort(ranks_EN, axis=1, kind="stable")
    sorted_EN = np.take_along_axis(left_EN, order_EN, axis=1)
    padded = np.pad(sorted_EN, ((0, 0), (1, 0)))  # smoothing leaves the first alone
    around_EN = (smoothed(padded, width)[:, 1:] - own * sorted_EN) / (1 - own)
    spread = float((around_EN**2).sum())
    return float(np.clip((sorted_EN * around_EN).sum() / spread, 0, 1)) if spread > 0 else 0.0
