"""Graphs of steps in int8: onnxruntime's static quantisation, with ranges from calibration clips."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from dynsearch.errors import BundleError
from dynsearch.files import written_whole
from dynsearch.network import MultiExitNetwork
from dynsearch.network.heads import ExitHead
from dynsearch.network.step_module import StepModule, step_modules

NUM_CLIPS = 32
"""Calibration videos that ranges are taken from."""

_MULTIPLYING = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_BETWEEN = ("Add", "Concat", "Relu", "Clip", "MaxPool", "AveragePool", "Slice", "Gather", "Reshape", "Transpose",
            "Squeeze", "Unsqueeze", "Flatten", "Pad", "Split", "Resize")  # fmt: skip
"""What is computed in int8 where a convolution comes behind it; sums of a transformer's branches lose too much."""


def quantise(network: MultiExitNetwork, files: Sequence[Path], clips: Sequence[torch.Tensor]) -> None:
    """Replace the graphs of a network's steps, float32 with their weights inside, by int8 ones.

    Weights are rounded by output channel, to 7 bits: with 8, processors without VNNI saturate in silence, and give
    other answers. What is kept between steps, exit heads and all behind the last convolution stay float32.

    Args:
        network: In eval mode, on the CPU.
        files: Of each step.
        clips: Float32 (B, T, C, H, W), of the calibration split.

    Raises:
        BundleError: onnxruntime can't quantise a graph.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_static

    runs = [step_modules(network, clip) for clip in clips]
    for path, *met in zip(files, *runs, strict=True):
        model = onnx.load(path)
        used = {given.name for given in model.graph.input}
        step = met[0][0]
        given = iter(
            [
                {name: x.numpy() for name, x in zip(step.inputs, tensors, strict=True) if name in used}
                for _, tensors in met
            ]
        )
        chosen = _chosen(model, step)
        if not chosen:
            continue
        # The exporter has folded norms and constants, so that onnxruntime need not ask for it.
        onnx.helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
        try:
            with written_whole(path) as temporary:
                quantize_static(
                    model, temporary, SimpleNamespace(get_next=lambda given=given: next(given, None)),
                    per_channel=True, reduce_range=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                    op_types_to_quantize=[*_MULTIPLYING, *_BETWEEN], nodes_to_quantize=chosen,
                    extra_options={"MatMulConstBOnly": True},
                )  # fmt: skip
        except (RuntimeError, ValueError, TypeError, KeyError, AssertionError) as error:
            raise BundleError(
                f"{network.plan.backbone} can't be quantised: {' '.join(str(error).split())[:200]}",
                where=path.name,
                hint="Export it without --quantize",
            ) from error


def _chosen(model: Any, step: StepModule) -> list[str]:
    """Return the names of layers with weights that are no head's, and of all that goes into a convolution."""
    heads = [name for name, module in step.named_modules() if isinstance(module, ExitHead)]
    weights = {
        tensor.name
        for tensor in model.graph.initializer
        if not any(tensor.name.startswith(f"{head}.") for head in heads)
    }
    maker = {out: node for node in model.graph.node for out in node.output}
    chosen = {
        node.name: node
        for node in model.graph.node
        if node.op_type in _MULTIPLYING and weights.intersection(node.input[1:2])
    }
    found = [node for node in chosen.values() if "Conv" in node.op_type]
    while found:
        before = [maker[name] for name in found.pop().input if name in maker]
        found += [node for node in before if node.name not in chosen]
        chosen |= {node.name: node for node in before}
    return list(chosen)
