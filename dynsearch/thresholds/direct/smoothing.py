"""Smoothing of gains over neighbouring bins, against fitting thresholds to the noise of few labels.

A gain histogram says how many right answers each bin of confidence would win by stopping; with few
videos it is mostly noise, while the true gain changes slowly with confidence.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

BANDWIDTH = 0.06
"""Standard deviation of the smoothing at 500 videos, as a share of the bins."""

_REFERENCE_VIDEOS = 500
_PASSES = 3  # three running means are close to a Gaussian of the same variance


def smoothing_width(num_videos: int, num_bins: int, bandwidth: float) -> int:
    """Return the width, in bins, of each running mean; 1 smooths nothing.

    The bandwidth shrinks with the fourth root of the number of videos.
    """
    sigma = bandwidth * (_REFERENCE_VIDEOS / num_videos) ** 0.25 * num_bins
    # A running mean of width w has variance (w^2 - 1) / 12.
    return max(1, round(math.sqrt(12 * sigma**2 / _PASSES + 1)))


def smoothed(histogram: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return the histogram smoothed over its bins 1 and up (last axis); bin 0 and the sum are kept."""
    if width <= 1:
        return histogram
    result = histogram.copy()
    for _ in range(_PASSES):
        result[..., 1:] = uniform_filter1d(result[..., 1:], width, axis=-1, mode="reflect")
    return result
