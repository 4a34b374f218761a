"""Doing something often, but for a small part of the time."""

from __future__ import annotations

import time
from collections.abc import Callable


class Paced:
    """Calls an action unless it has taken too much of the time so far: the longer it takes, the less often.

    Args:
        action: What to do.
        share: The most of the time that it may take, 0..1.
        clock: Seconds now.
    """

    def __init__(
        self,
        action: Callable[[], object],
        *,
        share: float = 0.05,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._action = action
        self._share = share
        self._clock = clock
        self._not_before = float("-inf")

    def __call__(self) -> None:
        """Do it, if it is time."""
        began = self._clock()
        if began < self._not_before:
            return
        self._action()
        ended = self._clock()
        self._not_before = ended + (ended - began) * (1 / self._share - 1)
