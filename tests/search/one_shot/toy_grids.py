"""Score grids in milliseconds: accuracy rises with the cost of a cell, and orders differ."""

import numpy as np

from dynsearch.scores.score_grid import ScoreGrid
from dynsearch.search.one_shot.scoring import grid_steps

NUM_CLASSES = 4
_NUM_VIDEOS = 80


def toy_grid(trunk, first_depth=3):
    """Draw the grid of ``trunk``; the same trunk gives the same grid."""
    rng = np.random.default_rng(int(trunk.plan_id, 16) % 2**32)
    steps = grid_steps(trunk, NUM_CLASSES, first_depth)
    trunk_SM = steps.trunk_C.reshape(trunk.num_sets, -1)
    labels_N = rng.integers(0, NUM_CLASSES, _NUM_VIDEOS)
    logits = rng.normal(size=(*trunk_SM.shape, _NUM_VIDEOS, NUM_CLASSES))
    margin_SM = 0.5 + 2 * np.log10(trunk_SM / 0.005) + (0.5 if str(trunk.frame_order) == "paper" else 0)
    logits[..., np.arange(_NUM_VIDEOS), labels_N] += margin_SM[..., None]
    return ScoreGrid(
        logits_SMNK=logits.astype(np.float32), labels_N=labels_N, steps=steps,
        first_depth=first_depth, split="calibration", order=str(trunk.frame_order),
    )  # fmt: skip
