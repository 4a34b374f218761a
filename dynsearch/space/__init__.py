"""Which plans a study may propose: search spaces read from YAML, and sampling a plan from a trial."""

from dynsearch.space.axes import SpaceAxes as SpaceAxes
from dynsearch.space.family import Choices as Choices
from dynsearch.space.family import FamilyName as FamilyName
from dynsearch.space.family import SpaceFamily as SpaceFamily
from dynsearch.space.family import space_family as space_family
from dynsearch.space.search_space import SearchSpace as SearchSpace
from dynsearch.space.trial import Suggester as Suggester
from dynsearch.space.trial import choose as choose

__all__ = [
    "Choices", "FamilyName", "SearchSpace", "SpaceAxes", "SpaceFamily", "Suggester", "choose", "space_family",
]  # fmt: skip
