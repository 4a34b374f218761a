"""Steps compiled by torch, one at a time: each is a region of its own, for any number of videos."""

import torch

from dynsearch.network.runtimes.made import MadeSteps, Run, Tensors
from dynsearch.network.step_module import StepModule, exported


class CompiledSteps(MadeSteps):
    """Compiles the graph of a step on its first use, which takes a minute or so for a large backbone."""

    def make(self, step: StepModule, tensors: Tensors) -> Run:
        """Return the compiled step."""
        run: Run = torch.compile(exported(step, tensors).module(), dynamic=True)
        return run
