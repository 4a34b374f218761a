"""Where on the grid the exits should sit, and how sure each must be, from the scores of all cells."""

from dynsearch.frontier.placements.points import Expected, PlacementFrontier, PlacementPoint
from dynsearch.frontier.placements.rank import RankedPlan, rank_plans
from dynsearch.frontier.placements.search import search_placements

__all__ = [
    "Expected",
    "PlacementFrontier",
    "PlacementPoint",
    "RankedPlan",
    "rank_plans",
    "search_placements",
]
