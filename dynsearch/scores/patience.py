"""Patience: how many exits in a row have made the same choice (Zhou et al., BERT Loses Patience, 2020).

Shapes: E exits, N videos.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PATIENCE = "patience"


def patience_at(choices: NDArray[Any]) -> NDArray[np.float64]:
    """Return (N,): how many exits right before the last one chose what it chooses.

    Args:
        choices: (k + 1, N) first choices of exits 0 to k.
    """
    same = choices[-2::-1] == choices[-1] if len(choices) > 1 else np.zeros((0, choices.shape[1]), dtype=bool)
    return np.cumprod(same, axis=0).sum(axis=0).astype(np.float64)


def patience(choice_EN: NDArray[Any]) -> NDArray[np.float64]:
    """Return (E, N): the patience reached at each exit; 0 at the first."""
    return np.stack([patience_at(choice_EN[: k + 1]) for k in range(len(choice_EN))])
