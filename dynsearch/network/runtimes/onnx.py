"""Steps run by onnxruntime, with the first of its providers that runs here."""

import contextlib
import io
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from dynsearch.errors import InputError
from dynsearch.network.multi_exit import MultiExitNetwork
from dynsearch.network.runtimes.made import MadeSteps, Run, Tensors
from dynsearch.network.step_module import StepModule, exported

CPU, _SUFFIX = "CPU", "ExecutionProvider"
PROVIDERS = ("Tensorrt", "CUDA", "OpenVINO", CPU)
"""What runs a graph where it is installed, the first first."""


def check_onnx() -> None:
    """Raise InputError where what writes, quantises and runs ONNX graphs is not installed."""
    try:
        import onnxruntime.quantization  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(
            "ONNX needs packages that are not installed",
            hint="Install them with: pip install 'dynsearch[onnx]'",
        ) from error


class OnnxSteps(MadeSteps):
    """Gives onnxruntime the graph of a step on its first use.

    Args:
        network: In eval mode.
        folder: Where graphs were written before; without, they are made of the network.
        tell: Told which steps the provider can't run, which the CPU then does.

    Attributes:
        provider: What onnxruntime takes to run them, for instance ``CPU``.

    Raises:
        InputError: onnxruntime, or what writes graphs for it, is not installed.
    """

    def __init__(
        self,
        network: MultiExitNetwork,
        folder: Path | None = None,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        check_onnx()
        super().__init__(network)
        self._folder, self._tell = folder, tell
        self.provider = _session(_nothing(), PROVIDERS).get_providers()[0].removesuffix(_SUFFIX)

    def make(self, step: StepModule, tensors: Tensors) -> Run:
        """Return the step as a session."""
        if self._folder is None:
            graph = onnx_graph(exported(step, tensors), step).model_proto.SerializeToString()
        else:
            graph = str(self._folder / f"step{step.k}.onnx")
        try:
            run = self._run(_session(graph, PROVIDERS), step)
            run(tensors)
        except Exception as error:  # providers' own are nothing more special
            if self.provider == CPU:
                raise
            self._tell(f"{self.provider} can't run step {step.k}, which the CPU does: {_reason(error)}")
            run = self._run(_session(graph, (CPU,)), step)
        return run

    @staticmethod
    def _run(session: Any, step: StepModule) -> Run:
        used = {given.name for given in session.get_inputs()}

        def run(tensors: Tensors) -> list[torch.Tensor]:
            given = {
                name: x.contiguous().cpu().numpy()
                for name, x in zip(step.inputs, tensors, strict=True)
                if name in used
            }
            return [torch.from_numpy(out) for out in session.run(None, given)]

        return run


def _session(graph: str | bytes, wanted: Sequence[str]) -> Any:
    """Return onnxruntime's session of a graph or its file, with as many threads as torch takes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    there = onnxruntime.get_available_providers()
    providers = [name for each in wanted if (name := f"{each}{_SUFFIX}") in there]
    try:
        return onnxruntime.InferenceSession(graph, options, providers=providers)
    except Exception as error:  # onnxruntime's own are nothing more special
        raise InputError(
            f"onnxruntime can't open a graph: {_reason(error)}", hint="Take the runtime eager"
        ) from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _nothing() -> bytes:
    """Return a graph that does nothing, on which a provider shows whether it runs."""
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "nothing", ends[:1], ends[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(made.SerializeToString())


def onnx_graph(program: torch.export.ExportedProgram, step: StepModule) -> torch.onnx.ONNXProgram:
    """Return a step's program as an ONNX graph; the exporter prints its own steps, which nobody needs."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        graph = torch.onnx.export(program, input_names=step.inputs, output_names=step.outputs, verbose=False)
    assert graph is not None
    return graph
