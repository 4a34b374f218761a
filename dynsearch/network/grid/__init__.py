"""Grid networks: a timm backbone run over frames x depth, with exits on the grid."""

from dynsearch.network.grid.network import GridNetwork as GridNetwork

__all__ = ["GridNetwork"]
