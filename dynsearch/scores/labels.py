"""Labels of videos: one class each, or several at once.

Shapes: N videos, K classes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def several_labels(labels: Any) -> bool:
    """Return whether labels are 0 or 1 for each class (N, K), several a video, and not one class number each (N,)."""
    return bool(labels.ndim == 2)


def first_choice_is_label(logits: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return (..., N): whether the first choice of logits (..., N, K) is the label (N,), or one of several (N, K)."""
    choice = logits.argmax(axis=-1)
    if several_labels(labels):
        right: NDArray[np.bool_] = labels[np.arange(len(labels)), choice] > 0
        return right
    return choice == labels
