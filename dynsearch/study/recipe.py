"""A study recipe: a data set, a budget, a search space and how to train."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dynsearch.measures import COUNTED, CostMeasure
from dynsearch.space import FamilyName
from dynsearch.study.one_shot_config import OneShotConfig
from dynsearch.training.config import TrainingConfig
from dynsearch.validation import Settings


class FrameCacheConfig(Settings):
    """Which frames are kept decoded on disk."""

    num_frames: int = Field(ge=1)
    """Evenly spaced frames kept of every video."""
    size: int = Field(ge=8)
    """Side of the kept square, in pixels."""


class StudyRecipe(Settings):
    """Everything that decides a study's result, and nothing else. Unknown fields are refused.

    One YAML file in ``studies/`` holds a recipe and, in its ``run`` section, :class:`RunSettings`;
    :func:`dynsearch.study.recipe_file.load_recipe` reads both.
    """

    dataset: str
    """Name of a data set in the catalogue."""
    space: str
    """Name of a search space, or the path of its file."""
    families: list[FamilyName] | None = Field(default=None, min_length=1)
    """Kinds of networks to search over, instead of the space's own."""
    max_gflops: float = Field(gt=0)
    """Budget: mean GFLOPs (10^9 multiply-accumulates) per video of the point wanted."""
    num_trials: int = Field(default=20, ge=1)
    """``one-shot``: frame orders, with groups, shift and network, to screen; ``retrain``: plans to train."""
    seed: int = Field(default=0, ge=0)
    strategy: Literal["one-shot", "retrain"] | None = None
    """``one-shot`` trains a network for all plans, searches on its scores and trains the most promising plans
    alone; ``retrain`` trains every plan that is proposed. None: one-shot where all plans are grids."""
    workers_per_trial: int = Field(default=1, ge=1)
    """Processes that train a trial's network together, each on batches of ``training.batch_size``. More than one
    needs the engine ``ray``."""
    pruner: Literal["none", "asha", "hyperband"] = "none"
    """``asha`` stops trials after a ninth and a third of the epochs unless their top-1 at the budget, on
    calibration, is among the best third; ``hyperband`` lets two of three trials begin at later rungs."""
    solver: str = "frontier"
    """Threshold solver used on each trial's calibration scores."""
    confidence: str | None = None
    """Confidence measure of the thresholds; none takes the largest softmax probability, or the largest sigmoid where
    videos have several labels. One-shot search keeps to that where an exit alone can't tell (``patience``)."""
    plugins: tuple[str, ...] = ()
    """Modules of the user's, or their files, that register what the fields above name."""
    calibration_fraction: float | None = Field(default=None, gt=0, lt=1)
    """Share of the official training videos set aside for calibration; none takes the data set's own."""
    frame_cache: FrameCacheConfig | None = None
    """Decoded frames kept on disk; none decodes videos in every epoch."""
    training: TrainingConfig = TrainingConfig()
    one_shot: OneShotConfig = OneShotConfig()

    @property
    def budget(self) -> float:
        """The budget: mean cost per video of the point wanted."""
        return self.max_gflops

    @property
    def measure(self) -> CostMeasure:
        """What the budget is in."""
        return COUNTED

    def resolved(self) -> dict[str, Any]:
        """Return all fields, defaults included, as plain values."""
        return self.model_dump(mode="json")
