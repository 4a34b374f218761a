import math
import sys

from hypothesis import example, given
from hypothesis import strategies as st

from dynsearch.thresholds.between import between


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
@example(-sys.float_info.max, -math.inf)
def test_the_threshold_separates_the_two_confidences(a, b):
    lower, upper = min(a, b), max(a, b)
    if lower == upper:
        return
    threshold = between(lower, upper)
    assert math.isfinite(threshold) or upper == -sys.float_info.max
    assert not lower > threshold
    assert upper > threshold


def test_it_lies_half_way():
    assert between(0.25, 0.75) == 0.5
