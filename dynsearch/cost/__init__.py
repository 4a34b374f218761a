"""What a network costs: multiply-accumulates of every grid cell and head, counted on the real network."""

from dynsearch.cost.build import build_network as build_network
from dynsearch.cost.counter import count_macs as count_macs
from dynsearch.cost.table import CostTable as CostTable
from dynsearch.cost.table import cost_table as cost_table

__all__ = ["CostTable", "build_network", "cost_table", "count_macs"]
