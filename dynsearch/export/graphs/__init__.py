"""The network as graph files for other runtimes: one graph for each step from exit to exit."""

from dynsearch.export.graphs.write import FORMATS as FORMATS
from dynsearch.export.graphs.write import write_graphs as write_graphs

__all__ = ["FORMATS", "write_graphs"]
