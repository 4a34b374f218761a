"""What runs the steps of a network: all give the same answers, in different time."""

from collections.abc import Callable
from pathlib import Path

from dynsearch.errors import InputError
from dynsearch.network.multi_exit import MultiExitNetwork
from dynsearch.network.waiting import Steps

RUNTIMES = ("auto", "eager", "compile", "graphs", "onnx")
"""Their names; ``auto`` is ``graphs`` on a GPU and ``eager`` on a CPU: what needs no minutes to get ready."""


def runtime_for(
    name: str,
    network: MultiExitNetwork,
    tell: Callable[[str], None] = lambda text: None,
    int8: Path | None = None,
) -> tuple[str, Steps]:
    """Return what a runtime is, in words that begin with its name, and what runs the steps of ``network``.

    Args:
        name: One of :data:`RUNTIMES`.
        network: In eval mode, on its device; it stays as it is.
        tell: Told what makes it slower than it is meant to be.
        int8: Folder of graphs that ``onnx`` runs in place of the steps.

    Raises:
        InputError: There is no such runtime, or not here.
    """
    on_cpu = next(network.parameters()).device.type == "cpu"
    if name not in RUNTIMES:
        raise InputError(f"there is no runtime {name!r}", hint=f"Runtimes: {', '.join(RUNTIMES)}")
    if name == "auto":
        name = "eager" if on_cpu else "graphs"
    if name == "graphs":
        if on_cpu:
            raise InputError("the runtime graphs needs a GPU", hint="Take auto, eager, compile or onnx")
        from dynsearch.network.runtimes.recorded import RecordedSteps, recorded_on_gpu

        return name, RecordedSteps(network, recorded_on_gpu(), tell)
    if name == "compile":
        from dynsearch.network.runtimes.compiled import CompiledSteps

        return name, CompiledSteps(network)
    if name == "onnx":
        from dynsearch.network.runtimes.onnx import OnnxSteps

        steps = OnnxSteps(network, int8, tell)
        return f"onnx ({'int8' if int8 else 'float32'}, {steps.provider})", steps
    if on_cpu:
        from dynsearch.network.runtimes.packed import packed

        return name, packed(network)
    return name, network
