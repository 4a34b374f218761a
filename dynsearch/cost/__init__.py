"""What a network costs: multiply-accumulates of each part, counted on the real network."""

from dynsearch.cost.counter import count_macs as count_macs
from dynsearch.cost.parts import NetworkCost as NetworkCost
from dynsearch.cost.parts import Part as Part
from dynsearch.cost.parts import average_cost as average_cost
from dynsearch.cost.steps import count_steps as count_steps

__all__ = ["NetworkCost", "Part", "average_cost", "count_macs", "count_steps"]
