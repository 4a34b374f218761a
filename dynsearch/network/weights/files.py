"""Weights on disk."""

import argparse
import codecs
import os
import re
import zlib
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy._core import multiarray
from torch import nn

from dynsearch.errors import WeightsError
from dynsearch.files import written_whole
from dynsearch.network.multi_exit import PlannedNetwork

_CHECKSUM, _PLAN = "crc32", "plan_id"
_CONTAINERS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "network",
    "net",
    "state_dict_ema",
    "model_ema",
)
_HARMLESS: tuple[Any, ...] = (
    argparse.Namespace, SimpleNamespace, frozenset, range, slice, date, datetime,
    timedelta, np.ndarray, np.dtype, codecs.encode, *(type(np.dtype(c)) for c in "?bBhHiIlLqQefdgFDGSUMmO"),
    *((function, f"numpy.{core}.multiarray.{function.__name__}") for core in ("core", "_core")
      for function in (multiarray.scalar, multiarray._reconstruct)),
    *((PurePosixPath, f"pathlib{inside}.{pure}{system}Path") for inside in ("", "._local")
      for pure in ("", "Pure") for system in ("Posix", "Windows")),
    (argparse.Namespace, "mmengine.logging.history_buffer.HistoryBuffer"),
)  # fmt: skip
"""What trainers write beside tensors, and what numpy's values are read with; none of it runs anything."""


def save_weights(network: nn.Module, path: str | os.PathLike[str], made: str = "") -> None:
    """Write all parameters and buffers of ``network`` to ``path`` as safetensors, with its plan and what made it."""
    facts = {"made": made} if made else {}
    if isinstance(network, PlannedNetwork):
        facts[_PLAN] = network.plan.plan_id
    save_tensors(network.state_dict(), path, facts)


def save_tensors(
    named: Mapping[str, torch.Tensor], path: str | os.PathLike[str], facts: Mapping[str, str]
) -> None:
    """Write tensors by name to ``path`` as safetensors, with a checksum and ``facts``."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in named.items()}
    with written_whole(path) as temporary:
        safetensors.torch.save_file(
            tensors, temporary, {"format": "pt", _CHECKSUM: _checksum(tensors), **facts}
        )


def load_weights(network: nn.Module, path: str | os.PathLike[str]) -> None:
    """Load what :func:`save_weights` wrote into ``network``.

    Raises:
        WeightsError: The file is missing, damaged, or of another network; of another plan, though all shapes fit.
    """
    load_strictly(network, read_tensors(path), path)
    if isinstance(network, PlannedNetwork) and Path(path).suffix == ".safetensors":
        plan_id = read_facts(path).get(_PLAN, network.plan.plan_id)
        if plan_id != network.plan.plan_id:
            raise WeightsError(
                f"weights of another network: they are plan {plan_id}'s, not plan {network.plan.plan_id}'s",
                where=str(path),
                hint="Put back the plan's own weights, or the plan that they belong to",
            )


def read_facts(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return the facts that a safetensors file carries."""
    with safetensors.safe_open(path, framework="pt") as file:
        return file.metadata() or {}


def read_tensors(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """Return the tensors of :func:`read_weights`."""
    return read_weights(path)[0]


def read_weights(path: str | os.PathLike[str]) -> tuple[dict[str, torch.Tensor], list[str]]:
    """Return the tensors in a safetensors file, or in a ``.pth`` file of plain tensors, and what else to know of it.

    Pickled code is never run: other files are read with ``weights_only=True``.

    Raises:
        WeightsError: The file is missing, damaged, or holds anything but tensors of finite numbers.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError("there is no such weights file", where=str(path))
    try:
        values: object
        if path.suffix == ".safetensors":
            values = _read_safetensors(path)
        else:
            with torch.serialization.safe_globals([*_HARMLESS]):
                values = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # On a damaged file torch's unpickler raises whatever it stumbles over.
        kind = re.search(r"Unsupported global: GLOBAL (\S+)", str(error))
        reason = (
            f"it holds a {kind[1]}, and code in files is not run"
            if kind
            else " ".join(str(error).split())[:200]
        )
        raise WeightsError(
            f"can't be read as weights: {reason}",
            where=str(path),
            hint="Of a network of your own save torch.save(network.state_dict(), FILE)",
        ) from error
    tensors, notes = _tensors_in(values, path)
    for name, value in tensors.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise WeightsError(
                f"{name} holds values that are not finite numbers",
                where=str(path),
                hint="Its training diverged, or it was damaged: take an earlier checkpoint",
            )
    return tensors, notes


def _tensors_in(values: object, path: Path) -> tuple[dict[str, torch.Tensor], list[str]]:
    """Return the tensors by name, out of the mappings that trainers put around them, and which others there are."""
    if isinstance(values, dict):
        inside = {name: value for name, value in values.items() if isinstance(value, dict)}
        chosen = next((name for name in _CONTAINERS if name in inside), None)
        if chosen is not None:
            tensors, notes = _tensors_in(inside.pop(chosen), path)
            others = [
                str(name) for name, value in inside.items() if 10 * len(_plain(value)) > 9 * len(tensors)
            ]
            if others:
                notes = [
                    *notes,
                    f"its {chosen} was read, not its {', '.join(others)}; save what is wanted in a file of its own",
                ]
            return tensors, notes
        if (tensors := _plain(values)) and not inside:
            return tensors, []
    raise WeightsError(
        "holds no plain mapping of names to tensors",
        where=str(path),
        hint=f"It may be the file itself, or be called {', '.join(_CONTAINERS)}",
    )


def _plain(values: dict[Any, Any]) -> dict[str, torch.Tensor]:
    """Return what of a mapping is tensors by name."""
    arrays = {
        name: torch.from_numpy(value)
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiu"
        else value
        for name, value in values.items()
    }
    return {
        n: v
        for n, v in arrays.items()
        if isinstance(n, str) and isinstance(v, torch.Tensor) and not v.is_sparse
    }


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors; where we wrote the file, only those that were saved, to the last bit."""
    expected = read_facts(path).get(_CHECKSUM)
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
    module: nn.Module,
    tensors: dict[str, torch.Tensor],
    path: str | os.PathLike[str],
    hint: str | None = None,
    *,
    assign: bool = False,
) -> None:
    """Load ``tensors``, which come from ``path``, into ``module``; with ``assign`` it uses these and no copies.

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
    module.load_state_dict(tensors, assign=assign)
