"""A learned gain: how much stopping now is worth, from all confidences seen so far.

Max softmax says how likely an exit is right. What decides is whether it is right *now* minus whether the
last exit would be right *later*: a hopeless video gains nothing by going on. A ridge regression predicts
that difference at each exit, from the confidences of the exits up to it.

Shapes: E exits, N videos, Q quantiles, P features.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from dynsearch.errors import PolicyError, ScoresError, shown
from dynsearch.scores.confidence import DEFAULT_MEASURE
from dynsearch.scores.exit_scores import ExitScores
from dynsearch.scores.stop_rule import gain_at, gain_features

LEARNED_GAIN = "learned-gain"

_NUM_QUANTILES = 64
HINGES = (-1.5, -0.8, -0.25, 0.25, 0.8, 1.5)
"""Where the effect of a confidence may bend, on the scale of a normal variable."""
_RIDGE = 30.0


@dataclass(frozen=True)
class GainModel:
    """A fitted gain of every exit but the last, of the confidences of a measure ``base``.

    Args:
        base: The confidence measure it reads.
        quantiles: For each exit, Q confidences at evenly spaced ranks; they make the scale.
        weights: For each exit, an intercept and the weights of its features.
    """

    base: str
    quantiles: tuple[tuple[float, ...], ...]
    weights: tuple[tuple[float, ...], ...]

    @property
    def num_exits(self) -> int:
        """E, with the last exit, which needs no gain."""
        return len(self.weights) + 1

    def gain_at(self, seen: NDArray[Any]) -> NDArray[np.float64]:
        """Return (N,): the gain of stopping at the last of the exits ``seen``, (k + 1, N) confidences of exits 0 to k.

        NaN at exit k gives NaN, which never stops.
        """
        return np.zeros(seen.shape[1]) if len(seen) == self.num_exits else gain_at(seen, self.facts())

    def gains(self, confidence_EN: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (E, N): the gain of stopping at each exit; PolicyError where the number of exits differs."""
        if len(confidence_EN) != self.num_exits:
            raise PolicyError(f"gains are for {self.num_exits} exits, but there are {len(confidence_EN)}")
        return np.stack([self.gain_at(confidence_EN[: k + 1]) for k in range(self.num_exits)])

    def facts(self) -> dict[str, Any]:
        """Return all that computing a gain takes, as plain values."""
        return {**self.to_dict(), "scale": normal_scale(), "hinges": list(HINGES)}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for ``policy.yaml``."""
        return {
            "base": self.base,
            "quantiles": [list(values) for values in self.quantiles],
            "weights": [list(values) for values in self.weights],
        }

    @classmethod
    def from_dict(cls, values: object) -> GainModel:
        """Return the model that ``to_dict`` described; PolicyError where a field is missing or wrong."""
        if not isinstance(values, Mapping) or set(values) != {"base", "quantiles", "weights"}:
            raise PolicyError(f"a gain is base, quantiles and weights, got {shown(values)}")
        if not isinstance(values["base"], str):
            raise PolicyError(f"the base of a gain is a confidence measure, got {shown(values['base'])}")
        model = cls(values["base"], _table(values["quantiles"]), _table(values["weights"]))
        for exit_index, weights in enumerate(model.weights):
            if len(weights) != _num_features(exit_index) or len(model.quantiles) != len(model.weights):
                raise PolicyError(f"the gain of exit {exit_index + 1} has the wrong number of values")
        if any(len(row) != _NUM_QUANTILES for row in model.quantiles):
            raise PolicyError(f"a gain needs {_NUM_QUANTILES} quantiles for each exit")
        return model


def _table(rows: Any) -> tuple[tuple[float, ...], ...]:
    """Return a list of lists of finite numbers as tuples."""
    if isinstance(rows, list) and all(isinstance(row, list) for row in rows):
        flat = [value for row in rows for value in row]
        if all(type(value) in (int, float) and abs(value) < math.inf for value in flat):
            with contextlib.suppress(OverflowError):
                return tuple(tuple(map(float, row)) for row in rows)
    raise PolicyError(
        f"quantiles and weights of a gain are lists of numbers for each exit, got {shown(rows)}"
    )


def fit_gain(
    scores: ExitScores, *, base: str = DEFAULT_MEASURE, num_folds: int = 5, seed: int = 0
) -> tuple[GainModel, NDArray[np.float64]]:
    """Return a gain model fitted on all videos, and cross-fitted gains (E, N) of those videos.

    The gains of each fold come from a model fitted without it, so that thresholds can be chosen on them.

    Raises:
        ScoresError: There are fewer videos than folds, or no labels.
    """
    confidence_EN, correct_EN = scores.confidence(base), scores.correct().astype(np.float64)
    if scores.num_videos < num_folds:
        raise ScoresError(f"a learned gain needs at least {num_folds} videos, got {scores.num_videos}")
    fold_N = scores.folds(num_folds, seed)
    quantiles = tuple(_quantiles(confidence_N) for confidence_N in confidence_EN[:-1])
    gains_EN = np.zeros(confidence_EN.shape)
    weights = []
    for k in range(scores.num_exits - 1):
        features_NP = gain_features(confidence_EN[: k + 1], quantiles, normal_scale(), HINGES)
        target_N = correct_EN[k] - correct_EN[-1]
        squares = [features_NP[fold_N == f].T @ features_NP[fold_N == f] for f in range(num_folds)]
        products = [features_NP[fold_N == f].T @ target_N[fold_N == f] for f in range(num_folds)]
        weights.append(tuple(_ridge(sum(squares), sum(products)).tolist()))
        for f in range(num_folds):
            without = _ridge(sum(squares) - squares[f], sum(products) - products[f])
            gains_EN[k, fold_N == f] = features_NP[fold_N == f] @ without
        gains_EN[k, np.isnan(confidence_EN[k])] = np.nan
    return GainModel(base, quantiles, tuple(weights)), gains_EN


def _quantiles(confidence_N: NDArray[np.float64]) -> tuple[float, ...]:
    finite = confidence_N[np.isfinite(confidence_N)]
    if finite.size == 0:
        return (0.0,) * _NUM_QUANTILES
    return tuple(np.quantile(finite, np.linspace(0, 1, _NUM_QUANTILES)).tolist())


def normal_scale() -> list[float]:
    """Return what the Q quantiles become: the quantiles of a normal variable at the same ranks."""
    values: list[float] = ndtri(np.linspace(0, 1, _NUM_QUANTILES).clip(0.005, 0.995)).tolist()
    return values


def _num_features(exit_index: int) -> int:
    earlier = exit_index > 0
    return 2 + exit_index + len(HINGES) * (1 + earlier) + 2 * earlier


def _ridge(square_PP: Any, product_P: Any) -> NDArray[np.float64]:
    """Return weights that predict the target; all but the intercept are shrunk, in units of their spread."""
    count = square_PP[0, 0]
    mean_P = square_PP[0] / count
    spread_P = np.maximum(np.diag(square_PP) / count - mean_P**2, 1e-12)
    penalty_P = _RIDGE * spread_P
    penalty_P[0] = 0.0
    # Centred, so that the intercept is free of the other weights' shrinkage.
    centred = square_PP - count * np.outer(mean_P, mean_P)
    inner = centred[1:, 1:] + np.diag(penalty_P[1:])
    weights = np.linalg.solve(inner, product_P[1:] - mean_P[1:] * product_P[0])
    intercept = product_P[0] / count - mean_P[1:] @ weights
    return np.concatenate(([intercept], weights))
