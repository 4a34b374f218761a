"""What a network costs: multiply-accumulates of each part, counted on the real network."""

from dynsearch.cost.build import build_network as build_network
from dynsearch.cost.counter import count_macs as count_macs
from dynsearch.cost.family import NetworkCost as NetworkCost
from dynsearch.cost.family import cost_table as cost_table
from dynsearch.cost.parts import PartsTable as PartsTable
from dynsearch.cost.table import CostTable as CostTable

__all__ = ["CostTable", "NetworkCost", "PartsTable", "build_network", "cost_table", "count_macs"]
