"""Which plans a study may propose: search spaces read from YAML, and sampling a plan from a trial."""

from dynsearch.space.search_space import SearchSpace as SearchSpace
from dynsearch.space.trial import Suggester as Suggester

__all__ = ["SearchSpace", "Suggester"]
