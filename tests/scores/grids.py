"""Small score grids, shared by tests."""

import numpy as np

from dynsearch.scores import ScoreGrid


def random_grid(seed, *, num_sets=3, num_depths=3, num_videos=24, num_classes=4, first_depth=1, **fields):
    """A grid whose cells agree about which videos are hard; later cells are surer and righter."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, num_classes, num_videos)
    skill_SM = 0.4 + np.add.outer(np.sqrt(np.arange(num_sets)), np.sqrt(np.arange(num_depths)))
    easy_N = rng.normal(size=num_videos)
    own_SMN = skill_SM[..., None] + easy_N + 0.7 * rng.normal(size=(num_sets, num_depths, num_videos))
    shared_NK = rng.normal(size=(num_videos, num_classes))
    logits = shared_NK + 0.7 * rng.normal(size=(num_sets, num_depths, num_videos, num_classes))
    logits += own_SMN[..., None] * np.eye(num_classes)[labels]
    trunk = np.outer(np.arange(1, num_sets + 1), np.cumsum(rng.integers(100, 900, num_depths))) / 1000
    fields = {
        "logits_SMNK": logits.astype(np.float32),
        "labels_N": labels,
        "trunk_gmacs_SM": trunk,
        "head_gmacs_SM": np.tile(rng.integers(1, 50, num_depths) / 1000, (num_sets, 1)),
        "first_depth": first_depth,
        "order": "paper",
        "split": "calibration",
    } | fields
    return ScoreGrid(**fields)
