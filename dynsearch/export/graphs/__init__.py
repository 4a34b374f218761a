"""The network as graph files for other runtimes: one graph for each step from exit to exit."""

from dynsearch.export.graphs.int8 import Int8 as Int8
from dynsearch.export.graphs.write import FORMATS as FORMATS
from dynsearch.export.graphs.write import write_graphs as write_graphs

__all__ = ["FORMATS", "Int8", "write_graphs"]
