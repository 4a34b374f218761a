"""Thresholds half-way between two neighbouring confidences, so that ``>`` and ``>=`` agree."""

import math
import sys


def between(lower: float, upper: float) -> float:
    """Return a number t with ``lower <= t < upper``, half-way where floats allow it and finite if one is."""
    if math.isinf(lower) and math.isinf(upper):
        return 0.0
    if math.isinf(upper):
        return sys.float_info.max
    if math.isinf(lower):
        return math.nextafter(upper, -math.inf)
    middle = lower / 2 + upper / 2
    return middle if lower <= middle < upper else lower
