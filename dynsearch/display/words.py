"""Numbers in the words that tables, notes and pictures share."""

import math
from typing import Protocol


class Unit(Protocol):
    """What costs are in: a measure of cost."""

    @property
    def name(self) -> str:
        """As it stands in names of columns."""

    @property
    def axis(self) -> str:
        """The label of an axis."""


def threshold_text(value: float, form: str = ".3f") -> str:
    """Return a threshold; ``never`` and ``always`` (at the last exit, for instance) stand for infinite ones."""
    if math.isinf(value):
        return "never" if value > 0 else "always"
    return format(value, form)


def percent(share: float, digits: int = 1) -> str:
    """Return a share of 0..1 as a percentage."""
    return f"{100 * share:.{digits}f}%"


def cost_text(value: float) -> str:
    """Return a cost with four significant digits."""
    return f"{value:.4g}"


def spoken_time(seconds: float) -> str:
    """Return a time in the unit that people would use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
