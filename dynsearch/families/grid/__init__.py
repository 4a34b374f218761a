"""Grid networks: a timm backbone run over frames x depth, with exits on the grid."""

from dynsearch.families.grid.family import FAMILY as FAMILY

__all__ = ["FAMILY"]
