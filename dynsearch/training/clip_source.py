"""What training needs of a data set."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dynsearch.data.identity import DataIdentity
from dynsearch.data.loader import Batches
from dynsearch.plan import Plan
from dynsearch.training.config import TrainingConfig
from dynsearch.training.ranks import ALONE, Ranks


class ClipSource(Protocol):
    """Where a network's clips come from: one data set with its disjoint splits.

    Attributes:
        num_classes: K.
        fingerprint: Changes when the ids of the videos of a split do.
    """

    num_classes: int
    fingerprint: str

    @property
    def identity(self) -> DataIdentity:
        """What results on these clips hang on."""

    @property
    def key(self) -> dict[str, Any]:
        """Facts that decide the clips, plain values by name; results carry them."""

    def loader(
        self,
        split: str,
        plan: Plan,
        config: TrainingConfig,
        *,
        training: bool,
        seed: int,
        ranks: Ranks = ALONE,
    ) -> Batches:
        """Return this process's batches of (clips, labels, indices) of ``split`` as ``plan`` wants them."""

    def video_ids(self, split: str) -> Sequence[str]:
        """Return the names of the split's videos; the loader's indices point into them."""

    def groups(self, split: str) -> Sequence[str]:
        """Return what each of the split's videos belongs to: its group, or itself."""
        ...

    def sources(self, split: str) -> Sequence[str] | None:
        """Return what each of the split's videos is of, if others are of the same."""
        ...

    def folds(self, most: int, config: TrainingConfig, seed: int) -> Sequence["ClipSource"]:
        """Return the clips of folds of the training videos: ``train`` without the fold, ``calibration`` the fold."""
        ...

    def labels(self, split: str) -> npt.NDArray[np.generic]:
        """Return the labels of the split's videos, (N,), or (N, K) where they may have several."""
