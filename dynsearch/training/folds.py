"""Calibration scores of the training videos too, by cross-fitting over folds of them.

A network is surer of videos that it was trained on, so their scores come from networks that have not seen them: one is
trained by the same settings without each fold. They saw fewer videos than the network that is used, so that thresholds
are fitted to slightly worse ones. (Stone, Cross-Validatory Choice and Assessment of Statistical Predictions, 1974.)

Shapes: E exits, N videos.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.plan import Plan
from dynsearch.scores import ExitScores
from dynsearch.training.clip_source import ClipSource
from dynsearch.training.config import TrainingConfig
from dynsearch.training.made import WEIGHTS
from dynsearch.training.ranks import Ranks
from dynsearch.training.run import train_and_score

MOST_FOLDS = 5
FOLDED: dict[str, Any] = {"calibration": "folds"}
"""The fact that results made so carry."""


def with_folds(
    plan: Plan, source: ClipSource, config: TrainingConfig, folder: Path, own: ExitScores, **how: Any
) -> ExitScores:
    """Return the calibration scores ``own``, followed by those of the training videos, each by a network without it.

    Args:
        plan: What is trained.
        source: The clips.
        config: Training settings.
        folder: In its ``folds`` the networks' files go, a folder for each; weights are removed when they are scored.
        own: Of the calibration videos, by the network that is used.
        how: What :func:`~dynsearch.training.run.train_and_score` is told.

    Raises:
        DataError: There are too few training videos, groups or files for two folds.
        Others as ``train_and_score``.
    """
    ranks: Ranks = how["ranks"]
    parts = [own]
    for number, fold in enumerate(source.folds(MOST_FOLDS, config, how["seed"])):
        home = folder / "folds" / str(number)
        parts.append(train_and_score(plan, fold, config, home, **how).calibration)
        if ranks.is_first:
            (home / WEIGHTS).unlink(missing_ok=True)
    groups: NDArray[np.str_] | None = None
    if any(part.groups_N is not None for part in parts):  # A video without a name is a group of its own.
        groups = np.concatenate(
            [np.full(part.num_videos, "") if part.groups_N is None else part.groups_N for part in parts]
        )
    arrays: dict[str, list[Any]] = {
        name: [getattr(part, name) for part in parts] for name in ("logits_ENK", "labels_N", "video_ids_N")
    }
    joined: dict[str, Any] = {
        name: np.concatenate(of, axis=int(name == "logits_ENK")) for name, of in arrays.items()
    }
    return replace(own, groups_N=groups, **joined)
