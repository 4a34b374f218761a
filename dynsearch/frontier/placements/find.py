"""From a score grid, or some of its videos, to the placements and thresholds that no other found beats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import InputError
from dynsearch.frontier.placements.cells import Cells, Rules
from dynsearch.frontier.placements.chains import find_chains, measure_chains
from dynsearch.frontier.placements.points import PlacementFrontier, PlacementPoint
from dynsearch.scores import ScoreGrid


@dataclass(frozen=True)
class Settings:
    """How a search is done; see ``search_placements``."""

    rules: Rules
    confidence: str
    smoothing: float
    max_bins: int


def find_points(
    grid: ScoreGrid, settings: Settings, videos: NDArray[np.intp] | None = None
) -> PlacementFrontier:
    """Return the frontier of one search, without estimates on new videos.

    Args:
        grid: The scores of all cells.
        settings: How to search.
        videos: Which videos to look at; None for all.

    Raises:
        InputError: The rules allow no placement, or the steps do not.
    """
    cells = Cells.of(grid, settings.rules, settings.confidence, settings.max_bins, videos)
    chains = find_chains(cells, settings.smoothing)
    if not chains:
        raise InputError(
            f"no placement of {settings.rules.min_exits} to {settings.rules.max_exits} exits has a cost for each"
            " of its steps",
            hint="Allow more exits, or give the steps costs that are not infinite",
        )
    points = measure_chains(cells, chains, settings.confidence)
    return PlacementFrontier(
        [PlacementPoint(cells.placement(c), p) for c, p in zip(chains, points, strict=True)], grid.order
    )
