"""How the one-shot strategy goes about it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dynsearch.training.config import TrainingConfig
from dynsearch.validation import Settings


class OneShotConfig(Settings):
    """Settings of the one-shot strategy; a recipe's ``one_shot`` section. Unknown fields are refused."""

    epochs: int | None = Field(default=None, ge=1)
    """Passes over the training split that the one-shot network gets; none: as many as a plan's own."""
    cells_per_step: int | None = Field(default=None, ge=1)
    """Cells that a step trains besides the last one of every depth: the first, the others drawn at random; none:
    all, which costs nothing where heads are linear."""
    heads: Literal["cell", "depth"] = "depth"
    """A head for every cell, or one for every depth, whatever number of frames it has seen."""
    distil: bool = False
    """Whether the other cells learn from the last cell too."""
    norm_batches: int = Field(default=24, ge=0)
    """Training batches from which the statistics of batch normalisation are taken anew for each frame order."""
    retrain: int = Field(default=6, ge=1)
    """Plans that are trained alone in the end."""
    warm_start: Literal["one-shot", "backbone"] = "one-shot"
    """What they start from: the one-shot network's weights, or the backbone's as in ``training``."""

    def facts(self) -> dict[str, object]:
        """Return what decides the one-shot network, as results that come of it carry it."""
        return self.model_dump(mode="json", exclude={"retrain", "warm_start"})

    def training(self, config: TrainingConfig) -> TrainingConfig:
        """Return how the one-shot network is trained where a plan's own is trained as ``config`` says.

        With other epochs, milestones move in proportion.
        """
        epochs = self.epochs or config.epochs
        milestones = tuple(round(epoch * epochs / config.epochs) for epoch in config.milestones)
        exit_loss = "distill" if self.distil else "sum"
        return config.model_copy(update={"epochs": epochs, "milestones": milestones, "exit_loss": exit_loss})
