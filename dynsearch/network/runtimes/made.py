"""Steps that are made on their first use, each of its own graph."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch

from dynsearch.errors import InputError
from dynsearch.network.backbone.layout import joined
from dynsearch.network.multi_exit import MultiExitNetwork
from dynsearch.network.step_module import FRAMES, NEXT, StepModule
from dynsearch.network.waiting import Kept

Tensors = tuple[torch.Tensor, ...]
Run = Callable[[Tensors], Sequence[torch.Tensor]]


class MadeSteps(ABC):
    """Runs the steps of a network as functions that are made from :class:`StepModule` when they are first needed."""

    def __init__(self, network: MultiExitNetwork) -> None:
        self.network = network
        self.frames_at = network.frames_at
        self._made: dict[int, tuple[StepModule, Run]] = {}

    @abstractmethod
    def make(self, step: StepModule, tensors: Tensors) -> Run:
        """Return what runs ``step`` on any number of videos; ``tensors`` are what goes in for two."""

    def step(self, k: int, frames_BTCHW: torch.Tensor | None, kept: Kept) -> tuple[torch.Tensor, Kept]:
        """Return the logits (B, K) of exit ``k``, and what later steps need.

        Raises:
            InputError: The step can't be made on this machine, or of this network.
        """
        given = kept if frames_BTCHW is None else {FRAMES: frames_BTCHW, **kept}
        if k in self._made:
            step, run = self._made[k]
            logits, *left = run(tuple(given[name] for name in step.inputs))
        else:
            step = StepModule(self.network, k, kept)
            try:
                with torch.inference_mode(False), torch.no_grad():
                    tensors = tuple(rows(given[name], 2) for name in step.inputs)
                    step(tensors)
                    run = self.make(step, tensors)
                logits, *left = run(tuple(given[name] for name in step.inputs))
            except RuntimeError as error:
                reason = " ".join(str(error).split())[:200]
                raise InputError(
                    f"the runtime can't run step {k} of {self.network.plan.backbone}: {reason}",
                    hint="Take the runtime eager",
                ) from error
            self._made[k] = step, run
        return logits, dict(zip([name.removeprefix(NEXT) for name in step.outputs[1:]], left, strict=True))


def rows(x: torch.Tensor, count: int) -> torch.Tensor:
    """Return ``count`` copies of a tensor's first row, which lie in memory as its rows do."""
    return joined([x[:1].clone()] * count, 0)
