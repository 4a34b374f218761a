"""Which plans a study may propose: search spaces read from YAML, and sampling a plan from a trial."""

from dynsearch.space.axes import SpaceAxes
from dynsearch.space.family import Choices, FamilyName, SpaceFamily, space_family
from dynsearch.space.search_space import SearchSpace
from dynsearch.space.trial import Suggester, choose

__all__ = [
    "Choices", "FamilyName", "SearchSpace", "SpaceAxes", "SpaceFamily", "Suggester", "choose", "space_family",
]  # fmt: skip
