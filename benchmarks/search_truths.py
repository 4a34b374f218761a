"""The spaces whose plans were trained alone, so that search methods can be replayed against them, and their files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dynsearch.space import SearchSpace

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Truth:
    """A space of the embedded data set, mean GFLOPs a video that a search is asked for, and where results are."""

    name: str
    space: SearchSpace
    budgets: tuple[float, ...]
    suffix: str = ""

    def file(self, kind: str) -> Path:
        """Return the file of ``ground_truth``, ``networks``, ``finished`` (a row a line), or of ``efficiency``."""
        return RESULTS / f"search_{kind}{self.suffix}.json{'' if kind == 'efficiency' else 'l'}"


def _space(**changes: Any) -> SearchSpace:
    return SearchSpace.model_validate(
        {
            "backbones": ["test_resnet"],
            "frames": [{"num_frames": 8, "num_sets": 8}],
            "image_sizes": [48],
            "frame_orders": ["sequential", "paper", "strided", "bisection"],
            "exits": {"min_exits": 2, "max_exits": 4, "min_depth": 2, "max_depth": 5, "last": "free"},
        }
        | changes
    )


ORDERS = Truth("orders", _space(), tuple(round(float(value), 4) for value in np.linspace(0.008, 0.072, 17)))
"""One shape, four orders; full inference of the largest plan costs 0.0775 GFLOPs."""
SIZES = Truth(
    "sizes",
    _space(image_sizes=[32, 48], frame_orders=["sequential", "paper", "strided"]),
    tuple(round(float(value), 4) for value in np.geomspace(0.004, 0.072, 17)),
    suffix="_2",
)
"""Two sizes of images, and so two one-shot networks; budgets in even ratios, so that cheap ones count as much."""
TRUTHS = {truth.name: truth for truth in (ORDERS, SIZES)}
