"""One step from exit to exit as a module of a flat tuple of tensors: what is written, compiled or recorded."""

import warnings
from collections.abc import Iterator

import torch
from torch import nn

from dynsearch.network.multi_exit import MultiExitNetwork
from dynsearch.network.waiting import Kept

FRAMES, LOGITS, NEXT = "frames", "logits", "next_"
"""The input that holds new frames, (B, T', C, H, W); the first output; what begins the names of the others."""

_MAX_BATCH = 4096


class StepModule(nn.Module):
    """Step ``k`` of a network in eval mode.

    Attributes:
        inputs: Names of what goes in: ``frames`` if it takes any, then what the step before kept.
        outputs: Names of what comes out: ``logits`` (B, K), then ``next_`` and the name of what is kept. Known after
            the first call.
    """

    def __init__(self, network: MultiExitNetwork, k: int, kept: Kept) -> None:
        super().__init__()
        self.network, self.k = network, k
        self.inputs = [FRAMES] * bool(network.frames_at(k)) + list(kept)
        self.outputs: list[str] = []

    def forward(self, tensors: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """Return what ``outputs`` names for what ``inputs`` names."""
        given = dict(zip(self.inputs, tensors, strict=True))
        logits, kept = self.network.step(self.k, given.pop(FRAMES, None), given)
        self.outputs = [LOGITS, *(NEXT + name for name in kept)]
        return logits, *kept.values()


def step_modules(
    network: MultiExitNetwork, clips_BTCHW: torch.Tensor
) -> Iterator[tuple[StepModule, tuple[torch.Tensor, ...]]]:
    """Yield every step of ``network`` with what goes into it for these clips."""
    kept: Kept = {}
    for k in range(len(network.plan.exits)):
        step = StepModule(network, k, kept)
        times = list(network.frames_at(k))
        tensors = (*([clips_BTCHW[:, times]] if times else []), *kept.values())
        with torch.no_grad():
            _, *left = step(tensors)
        yield step, tensors
        kept = dict(zip([name.removeprefix(NEXT) for name in step.outputs[1:]], left, strict=True))


def exported(step: StepModule, tensors: tuple[torch.Tensor, ...]) -> torch.export.ExportedProgram:
    """Return the step as a graph for any number of videos; RuntimeError where it can't be traced."""
    batch = torch.export.Dim("batch", min=1, max=_MAX_BATCH)
    with warnings.catch_warnings():  # of its own innards
        warnings.simplefilter("ignore")
        return torch.export.export(step, (tensors,), dynamic_shapes=(tuple({0: batch} for _ in tensors),))
