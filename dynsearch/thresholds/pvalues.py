"""p-values for promises about new videos, valid for any number of calibration videos.

Shapes: N videos.
"""

import math

import numpy as np
from numpy.typing import NDArray

_NODES = 500


def binomial_p_value(num_events: int, num_videos: int, max_rate: float) -> float:
    """Return the chance of at most ``num_events`` events if their true rate were above ``max_rate``.

    Exact, by the binomial distribution; small values show that the rate is at most ``max_rate``.
    """
    from scipy.stats import binom  # Takes longer to load than all else here together.

    return float(binom.cdf(num_events, num_videos, max_rate))


def fewest_videos(max_rate: float, delta: float) -> int:
    """Return how many videos without any event it takes for a binomial p-value of at most ``delta``."""
    return math.ceil(math.log(delta) / math.log1p(-max_rate) - 1e-12)


def enough_videos(rate: float, max_rate: float, delta: float) -> int:
    """Return about how many videos show that a true ``rate`` of events is at most ``max_rate``.

    With that many, and as many events as ``rate`` makes expect, the binomial p-value is at most ``delta``.
    """
    num_videos = fewest_videos(max_rate, delta)
    while binomial_p_value(math.ceil(rate * num_videos), num_videos, max_rate) > delta:
        num_videos = math.ceil(num_videos * 1.02)
    return num_videos


def bounded_p_value(values_N: NDArray[np.float64], max_mean: float) -> float:
    """Return a p-value for the claim that the true mean of values in 0..1 is above ``max_mean``.

    The chance that the values and one more of 1, weighed at random (Dirichlet), have a mean of ``max_mean`` or more. Of
    values 0 and 1 it is the exact binomial one; of others no case is known where it is too small, and it is as sharp
    as the central limit theorem. (Gaffke, 2005; Learned-Miller and Thomas, 2019, by simulation.)
    """
    if max_mean >= 1:
        return 0.0
    values_V, count_V = np.unique(np.append(values_N, 1.0), return_counts=True)
    left_V = values_V - max_mean
    left_V /= np.abs(left_V).max()
    # That a weighted sum of gamma variables is positive, by its characteristic function (Imhof, Biometrika 1961).
    width = 12 / math.sqrt(float(count_V @ left_V**2)) / _NODES
    at_U = (np.arange(_NODES) + 0.5) * width
    angle_U = sum(count * np.arctan(left * at_U) for left, count in zip(left_V, count_V, strict=True))
    log_size_U = sum(
        count / 2 * np.log1p((left * at_U) ** 2) for left, count in zip(left_V, count_V, strict=True)
    )
    beyond = float((np.sin(angle_U) / at_U * np.exp(-log_size_U)).sum()) * width
    return min(max(0.5 + beyond / math.pi, 0.0), 1.0)
