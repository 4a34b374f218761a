"""Steps run by onnxruntime, with all providers that it has."""

import contextlib
import io
import warnings

import torch

from dynsearch.errors import InputError
from dynsearch.network.multi_exit import MultiExitNetwork
from dynsearch.network.runtimes.made import MadeSteps, Run, Tensors
from dynsearch.network.step_module import StepModule, exported


def check_onnx() -> None:
    """Raise InputError where what writes and runs ONNX graphs is not installed."""
    try:
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(
            "ONNX needs packages that are not installed",
            hint="Install them with: pip install 'dynsearch[onnx]'",
        ) from error


class OnnxSteps(MadeSteps):
    """Gives onnxruntime the graph of a step on its first use.

    Raises:
        InputError: onnxruntime, or what writes graphs for it, is not installed.
    """

    def __init__(self, network: MultiExitNetwork) -> None:
        check_onnx()
        super().__init__(network)

    def make(self, step: StepModule, tensors: Tensors) -> Run:
        """Return the step as a session."""
        import onnxruntime

        graph = onnx_graph(exported(step, tensors), step)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(
            graph.model_proto.SerializeToString(), options, providers=onnxruntime.get_available_providers()
        )
        used = {given.name for given in session.get_inputs()}

        def run(tensors: Tensors) -> list[torch.Tensor]:
            given = {
                name: x.contiguous().cpu().numpy()
                for name, x in zip(step.inputs, tensors, strict=True)
                if name in used
            }
            return [torch.from_numpy(out) for out in session.run(None, given)]

        return run


def onnx_graph(program: torch.export.ExportedProgram, step: StepModule) -> torch.onnx.ONNXProgram:
    """Return a step's program as an ONNX graph; the exporter prints its own steps, which nobody needs."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        graph = torch.onnx.export(program, input_names=step.inputs, output_names=step.outputs, verbose=False)
    assert graph is not None
    return graph
