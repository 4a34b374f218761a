"""What each exit of a network costs."""

from dynsearch.measures import COUNTED, CostMeasure


class Costed:
    """A network that knows its costs.

    Attributes:
        cost_E: Cumulative cost per video at each exit; empty until the network has been costed.
        measure: What the costs are in.
    """

    cost_E: tuple[float, ...] = ()
    measure: CostMeasure = COUNTED

    @property
    def gmacs_E(self) -> tuple[float, ...]:
        """The costs, where they are counted."""
        return self.measure.only("gflops", self.cost_E)
