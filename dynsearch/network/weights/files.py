"""Weights on disk."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from dynsearch.errors import WeightsError
from dynsearch.files import written_whole
from dynsearch.network.multi_exit import PlannedNetwork

_CHECKSUM, _PLAN = "crc32", "plan_id"


def save_weights(network: nn.Module, path: str | os.PathLike[str], made: str = "") -> None:
    """Write all parameters and buffers of ``network`` to ``path`` as safetensors, with its plan and what made it."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    facts = {"format": "pt", _CHECKSUM: _checksum(tensors)} | ({"made": made} if made else {})
    if isinstance(network, PlannedNetwork):
        facts[_PLAN] = network.plan.plan_id
    with written_whole(path) as temporary:
        safetensors.torch.save_file(tensors, temporary, facts)


def load_weights(network: nn.Module, path: str | os.PathLike[str]) -> None:
    """Load what :func:`save_weights` wrote into ``network``.

    Raises:
        WeightsError: The file is missing, damaged, or of another network; of another plan, though all shapes fit.
    """
    load_strictly(network, read_tensors(path), path)
    if isinstance(network, PlannedNetwork) and Path(path).suffix == ".safetensors":
        with safetensors.safe_open(path, framework="pt") as file:
            plan_id = (file.metadata() or {}).get(_PLAN, network.plan.plan_id)
        if plan_id != network.plan.plan_id:
            raise WeightsError(
                f"weights of another network: they are plan {plan_id}'s, not plan {network.plan.plan_id}'s",
                where=str(path),
                hint="Put back the plan's own weights, or the plan that they belong to",
            )


def read_tensors(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """Return the tensors in a safetensors file, or in a ``.pth`` file of plain tensors.

    Pickled code is never run: other files are read with ``weights_only=True``.

    Raises:
        WeightsError: The file is missing, damaged, or holds anything but tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError("there is no such weights file", where=str(path))
    try:
        if path.suffix == ".safetensors":
            return _read_safetensors(path)
        values = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # On a damaged file torch's unpickler raises whatever it stumbles over.
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(f"can't be read as weights: {reason}", where=str(path)) from error
    values = values.get("state_dict", values) if isinstance(values, dict) else values
    if not isinstance(values, dict) or not all(isinstance(value, torch.Tensor) for value in values.values()):
        raise WeightsError("holds no plain mapping of names to tensors", where=str(path))
    return values


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors; where we wrote the file, only those that were saved, to the last bit."""
    with safetensors.safe_open(path, framework="pt") as file:
        expected = (file.metadata() or {}).get(_CHECKSUM)
    tensors = safetensors.torch.load_file(path)
    if expected is not None and _checksum(tensors) != expected:
        raise ValueError("its values are not those that were saved; the file was damaged")
    return tensors


def _checksum(tensors: dict[str, torch.Tensor]) -> str:
    value = 0
    for name, tensor in sorted(tensors.items()):
        value = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), value)
        value = zlib.crc32(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data, value)
    return f"{value:08x}"


def load_strictly(
    module: nn.Module, tensors: dict[str, torch.Tensor], path: str | os.PathLike[str], hint: str | None = None
) -> None:
    """Load ``tensors``, which come from ``path``, into ``module``.

    Raises:
        WeightsError: They are of another network; ``hint`` says what to do.
    """
    wanted = module.state_dict()
    missing = [name for name in wanted if name not in tensors]
    unexpected = [name for name in tensors if name not in wanted]
    wrong = [name for name in wanted if name in tensors and wanted[name].shape != tensors[name].shape]
    problems = [
        f"{title} {', '.join(names[:3])}{' ...' if len(names) > 3 else ''}"
        for title, names in (("missing", missing), ("unexpected", unexpected), ("of another shape", wrong))
        if names
    ]
    if problems:
        raise WeightsError(f"weights of another network: {'; '.join(problems)}", where=str(path), hint=hint)
    module.load_state_dict(tensors)
