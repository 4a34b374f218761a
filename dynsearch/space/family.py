"""What a family has to do with search spaces: what varies among its plans, beside the axes of all."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Annotated

from dynsearch.errors import PlanError
from dynsearch.plan import FAMILIES, Plan, PlanFamily
from dynsearch.space.axes import SpaceAxes
from dynsearch.space.trial import Suggester
from dynsearch.validation import Settings, accepted_by


class Choices(Settings, ABC):
    """What varies among plans of one family: the fields of its section in a space, which has the family's name.

    A family without fields here needs no section.
    """

    def check(self, axes: SpaceAxes) -> None:
        """Raise ValueError, which names the fields, for choices that do not fit the axes of their space."""

    @abstractmethod
    def sample(self, trial: Suggester, axes: SpaceAxes) -> Plan:
        """Return the plan that ``trial`` proposes. The same parameters always give the same plan.

        Parameters of its own should begin with the family's name and a dot.
        """

    @abstractmethod
    def cheapest(self, axes: SpaceAxes) -> Iterator[Plan]:
        """Yield plans among which is that with the cheapest first exit."""


class SpaceFamily(PlanFamily):
    """What a search space needs of a family.

    Attributes:
        choices: The class of what varies among its plans.
        one_shot: Whether one network can stand for all its plans, as the strategy ``one-shot`` needs.
    """

    choices: type[Choices]
    one_shot: bool = False


def space_family(name: str) -> SpaceFamily:
    """Return the family called ``name``; PlanError where there is none, or what was registered has no choices."""
    family = FAMILIES[name]
    if not isinstance(family, SpaceFamily):
        raise PlanError(
            f"{type(family).__name__}, registered as {name}, is no network family",
            where="family",
            hint="Register an object of a class derived from dynsearch.families.Family",
        )
    return family


FamilyName = Annotated[str, accepted_by(FAMILIES.checked)]
"""The name of a registered network family."""
