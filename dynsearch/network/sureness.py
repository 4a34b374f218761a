"""How sure exits are, where their logits are: a GPU gives the host one number a video, not all its logits."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from dynsearch.scores.confidence import confidence_from_logits
from dynsearch.scores.stop_rule import FIRST_CHOICE, StopRule
from dynsearch.thresholds import ExitPolicy


def _margin(logits_BK: torch.Tensor) -> torch.Tensor:
    top = logits_BK.softmax(dim=1).topk(min(2, logits_BK.shape[1]), dim=1).values
    return top[:, 0] - top[:, 1] if top.shape[1] == 2 else top[:, 0]


def _negative_entropy(logits_BK: torch.Tensor) -> torch.Tensor:
    logs_BK = logits_BK.log_softmax(dim=1)
    return torch.where(logs_BK == -torch.inf, 0.0, logs_BK.exp() * logs_BK).sum(dim=1)


ON_DEVICE: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "max-softmax": lambda logits_BK: logits_BK.softmax(dim=1).amax(dim=1),
    "margin": _margin,
    "neg-entropy": _negative_entropy,
    "max-sigmoid": lambda logits_BK: logits_BK.amax(dim=1).sigmoid(),
    FIRST_CHOICE: lambda logits_BK: logits_BK.argmax(dim=1),
}
"""What ``scores.stop_rule`` computes, of logits in float64."""


def stop_rule(policy: ExitPolicy) -> StopRule:
    """Return the rule by which videos leave, for logits (B, K) on any device: on a CPU it measures as scores are."""
    name = policy.measure

    def measure(logits_BK: torch.Tensor) -> NDArray[np.float64]:
        if logits_BK.device.type == "cpu" or name not in ON_DEVICE:
            return confidence_from_logits(name, logits_BK.float().cpu().numpy())
        return ON_DEVICE[name](logits_BK.double()).double().cpu().numpy()

    return StopRule(policy.thresholds[:-1], measure, policy.confidence_at)
