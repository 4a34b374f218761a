"""What a policy is expected to lose on new videos.

Going on is taken not to hurt, unless the labels say so beyond chance: what seems to be won by stopping early is luck as
often as not, and a loss too small to be seen among few videos is still there on average.
"""

import math

from scipy.special import ndtr

from dynsearch.thresholds.operating_point import BEYOND_CHANCE


def expected_loss(loss: float, error: float) -> float:
    """Return the mean of a loss against full inference, known as ``loss`` with a standard ``error``, if not negative.

    A loss that is negative beyond chance is taken as it is.
    """
    if error == 0 or loss < -BEYOND_CHANCE * error:
        return loss
    ratio = loss / error
    return loss * float(ndtr(ratio)) + error * math.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
