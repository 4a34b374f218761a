"""Weights that several ONNX graphs use, kept once in one file beside them."""

import hashlib
from pathlib import Path
from typing import Any

from dynsearch.files import written_whole

_SMALL = 1024  # bytes; smaller tensors stay inside their graph
_ALIGNMENT = 4096  # so that onnxruntime can map the file


def share_weights(graphs: list[Path], weights: Path) -> None:
    """Move the tensors of all ONNX ``graphs`` into ``weights`` beside them, equal ones once, and refer to them."""
    import onnx

    models = [onnx.load(path) for path in graphs]
    places: dict[str, int] = {}
    with written_whole(weights) as temporary, temporary.open("wb") as file:
        for model in models:
            for tensor in model.graph.initializer:
                data = tensor.raw_data
                if len(data) < _SMALL:
                    continue
                key = hashlib.sha256(data).hexdigest()
                if key not in places:
                    file.write(b"\0" * (-file.tell() % _ALIGNMENT))
                    places[key] = file.tell()
                    file.write(data)
                _refer(tensor, weights.name, places[key], len(data))
    for path, model in zip(graphs, models, strict=True):
        with written_whole(path) as temporary:
            temporary.write_bytes(model.SerializeToString())


def _refer(tensor: Any, location: str, offset: int, length: int) -> None:
    """Replace the tensor's numbers by the place where they are."""
    tensor.ClearField("raw_data")
    tensor.data_location = tensor.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
