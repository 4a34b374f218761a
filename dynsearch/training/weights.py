"""Weights on disk: safetensors of ours, and backbone weights of others."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

import safetensors.torch
import timm
import torch
from torch import nn

from dynsearch.errors import WeightsError
from dynsearch.files import written_whole
from dynsearch.network.grid import GridNetwork
from dynsearch.network.grid.backbone import Backbone
from dynsearch.network.grid.timm_models import create_timm_model
from dynsearch.training.initialise import wake_residual_branches
from dynsearch.training.key_maps import PublicWeights, to_our_names

_CHECKSUM = "crc32"


def save_weights(network: nn.Module, path: str | os.PathLike[str]) -> None:
    """Write all parameters and buffers of ``network`` to ``path`` as safetensors."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    with written_whole(path) as temporary:
        safetensors.torch.save_file(tensors, temporary, {"format": "pt", _CHECKSUM: _checksum(tensors)})


def load_weights(network: nn.Module, path: str | os.PathLike[str]) -> None:
    """Load what :func:`save_weights` wrote into ``network``.

    Raises:
        WeightsError: The file is missing, damaged, or of another network.
    """
    _load_strictly(network, read_tensors(path), path)


def start_backbones(network: Any, *, pretrained: bool, weights: Path | None) -> None:
    """Give the backbones of ``network`` their starting weights, and a grid's heads theirs if the file has any that fit.

    A backbone that gets none is left as it was initialised, with its residual branches awake.

    Args:
        network: A multi-exit network.
        pretrained: Take timm's weights.
        weights: For the plan's backbone take this file instead: timm's key layout or a public one that
            :mod:`dynsearch.training.key_maps` knows, with or without a classifier.

    Raises:
        WeightsError: The weights can't be had, or are of another architecture.
    """
    for backbone in network.backbones:
        if weights is not None and backbone.name == network.plan.backbone:
            public, source = to_our_names(read_tensors(weights)), str(weights)
        elif pretrained:
            public, source = PublicWeights(_pretrained_state(backbone)), "timm"
        else:
            wake_residual_branches(backbone)
            continue
        wanted = backbone.model.state_dict()
        spare = {*_timm_names(backbone.name), "fc.weight", "fc.bias", "head.weight", "head.bias"}
        used = {name: value for name, value in public.backbone.items() if name in wanted or name not in spare}
        _load_strictly(backbone.model, used, source)
        if isinstance(network, GridNetwork):
            _start_heads(network, public)


def _start_heads(network: GridNetwork, public: PublicWeights) -> None:
    for k, slot in enumerate(network.slots):
        depth = 0 if k == len(network.slots) - 1 and 0 in public.heads else slot.depth
        _load_fitting(network.head(k), public.heads.get(depth, {}))


def _load_fitting(head: nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    """Load what has the head's names and shapes; another number of classes starts afresh."""
    own = head.state_dict()
    head.load_state_dict(
        {k: v for k, v in tensors.items() if k in own and own[k].shape == v.shape}, strict=False
    )


def _timm_names(backbone: str) -> set[str]:
    """Return the names of all tensors of timm's whole model, classifier and deepest stages included."""
    with torch.device("meta"):
        return set(timm.create_model(backbone, pretrained=False).state_dict())


def _pretrained_state(backbone: Backbone) -> dict[str, torch.Tensor]:
    try:
        return create_timm_model(backbone.name, backbone.image_size, pretrained=True).state_dict()
    except Exception as error:  # The hub client raises errors of many unrelated types.
        raise WeightsError(
            f"timm's weights for {backbone.name} can't be had: {' '.join(str(error).split())[:200]}",
            where="training.pretrained",
            hint="Give a local file with training.weights=FILE, or start from random weights "
            "with training.pretrained=false",
        ) from error


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


def _load_strictly(module: nn.Module, tensors: dict[str, torch.Tensor], path: str | os.PathLike[str]) -> None:
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
        raise WeightsError(f"weights of another network: {'; '.join(problems)}", where=str(path))
    module.load_state_dict(tensors)
