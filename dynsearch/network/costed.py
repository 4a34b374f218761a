"""What each exit of a network costs."""

from __future__ import annotations


class Costed:
    """A network that knows its costs.

    Attributes:
        cost_E: Cumulative cost per video at each exit; empty until the network has been costed.
    """

    cost_E: tuple[float, ...] = ()

    @property
    def gmacs_E(self) -> tuple[float, ...]:
        """The costs, as users spell them."""
        return self.cost_E
