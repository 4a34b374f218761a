"""Steps recorded once for fixed numbers of videos, and played again: CUDA graphs, and in tests what stands in."""

from collections.abc import Callable, Sequence

import torch

from dynsearch.network.backbone.layout import joined
from dynsearch.network.multi_exit import MultiExitNetwork
from dynsearch.network.runtimes.made import MadeSteps, Run, Tensors, rows
from dynsearch.network.step_module import StepModule

BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)
"""Numbers of videos that steps are recorded for; a batch is filled up to the next, and cut where it is larger."""

Play = Callable[[], None]
Record = Callable[[Callable[[], Sequence[torch.Tensor]]], tuple[Sequence[torch.Tensor], Play]]
"""From a function without arguments to the tensors it fills, and what fills them again."""


class RecordedSteps(MadeSteps):
    """Plays each step as it was recorded for a number of videos on its first use.

    Inputs are copied into tensors that stay where they are, rows without a video repeat one; outputs are copied out of
    the memory that all recordings share, before another one is played.

    Args:
        network: In eval mode.
        record: Records a function.
        tell: Told that a step could not be recorded, and runs as it is.
    """

    def __init__(self, network: MultiExitNetwork, record: Record, tell: Callable[[str], None]) -> None:
        super().__init__(network)
        self._record, self._tell = record, tell

    def make(self, step: StepModule, tensors: Tensors) -> Run:
        """Return what plays the recording for as many videos as there are."""
        played: dict[int, Run] = {}
        largest = BUCKETS[-1]

        def run(given: Tensors) -> Sequence[torch.Tensor]:
            count = len(given[0])
            if count > largest:
                parts = [run(tuple(x[i : i + largest] for x in given)) for i in range(0, count, largest)]
                return [joined(outs, 0) for outs in zip(*parts, strict=True)]
            bucket = next(size for size in BUCKETS if size >= count)
            if bucket not in played:
                played[bucket] = self._recorded(step, tuple(rows(x, bucket) for x in given))
            return played[bucket](given)

        return run

    def _recorded(self, step: StepModule, buffers: Tensors) -> Run:
        try:
            outs, play = self._record(lambda: step(buffers))
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            self._tell(
                f"step {step.k} on {len(buffers[0])} videos is not recorded, and runs slower: {reason}"
            )
            return step

        def run(given: Tensors) -> list[torch.Tensor]:
            count = len(given[0])
            for buffer, x in zip(buffers, given, strict=True):
                buffer[:count] = x
            play()
            return [out[:count].clone() for out in outs]

        return run


def recorded_on_gpu() -> Record:
    """Return what records CUDA graphs, which share one pool of memory."""
    pool = torch.cuda.graph_pool_handle()

    def record(function: Callable[[], Sequence[torch.Tensor]]) -> tuple[Sequence[torch.Tensor], Play]:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # Libraries set themselves up before anything is captured.
            for _ in range(2):
                function()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool):
            outs = function()
        return outs, graph.replay

    return record
