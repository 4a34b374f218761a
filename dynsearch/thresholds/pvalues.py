"""p-values for promises about new videos, valid for any number of calibration videos.

Shapes: N videos.
"""

import math

import numpy as np
from numpy.typing import NDArray


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


def betting_p_value(values_N: NDArray[np.float64], max_mean: float, delta: float) -> float:
    """Return a p-value for the claim that the true mean of values in 0..1, in random order, is above ``max_mean``.

    A bet on each video, before it is seen, that its value is below ``max_mean``: if the claim were true the capital
    would not grow, so by Ville's inequality its largest inverse is a p-value. Bets are tuned for ``delta``; it is
    valid whatever that is. (Waudby-Smith and Ramdas, JRSS B 2024, section 4; predictable plug-in bets.)
    """
    if max_mean >= 1:
        return 0.0
    count_N = np.arange(1, len(values_N) + 1)
    mean_N = (0.5 + np.cumsum(values_N)) / (count_N + 1)
    variance_N = (0.25 + np.cumsum((values_N - mean_N) ** 2)) / (count_N + 1)
    variance_before_N = np.concatenate(([0.25], variance_N[:-1]))
    bet_N = np.sqrt(2 * math.log(1 / delta) / (len(values_N) * variance_before_N))
    bet_N = np.minimum(bet_N, 0.75 / (1 - max_mean))
    log_capital_N = np.cumsum(np.log1p(bet_N * (max_mean - values_N)))
    return float(math.exp(-max(0.0, float(log_capital_N.max()))))
