"""Online inference: a clip whose frames arrive one after the other."""

from dataclasses import dataclass
from typing import Protocol

import torch


@dataclass(frozen=True)
class ExitAnswer:
    """What one exit says.

    Attributes:
        logits: (K,) float32.
        exit: The exit, counted from 0.
        sure: Whether the clip stops there.
    """

    logits: torch.Tensor
    exit: int
    sure: bool


class ClipInTheMaking(Protocol):
    """One clip whose frames are computed as they come.

    Attributes:
        last: What the last exit met says; None before the first.
    """

    last: ExitAnswer | None

    @property
    def finished(self) -> bool:
        """Whether an exit was sure; no further frame is needed."""

    def feed(self, frame_CHW: torch.Tensor) -> None:
        """Take the next frame, float32 (C, H, W), and compute all that can be computed; see ``last``."""
