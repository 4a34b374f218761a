"""Network families: each one value, with all that is known of it in one folder."""

from dynsearch.families.build import build_network as build_network
from dynsearch.families.build import cost_table as cost_table
from dynsearch.families.family import Family as Family
from dynsearch.families.family import family_of as family_of
from dynsearch.families.family import part_names as part_names

__all__ = ["Family", "build_network", "cost_table", "family_of", "part_names"]
