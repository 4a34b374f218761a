"""Which videos to search on when there are more than the search needs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def systematic_sample(columns_RN: NDArray[Any], size: int) -> NDArray[np.intp]:
    """Return about every (N / size)-th video of the videos sorted by ``columns_RN``, last row first.

    The choice does not depend on the order of the videos, and keeps the distribution of the first key.

    Args:
        columns_RN: What is known of each video; videos alike in all rows are interchangeable.
        size: How many videos to return.
    """
    order = np.lexsort(columns_RN)
    return np.sort(order[np.linspace(0, len(order) - 1, size).round().astype(np.intp)])
