"""Which device to train on, and in which precision."""

import contextlib
from contextlib import AbstractContextManager

import torch

from dynsearch.errors import InputError

Device = str | torch.device
"""For instance ``cpu`` or ``cuda:1``."""


def pick_device() -> torch.device:
    """Return the first CUDA device if there is one, made exact, else the CPU.

    Exact: float32 is computed in full, not rounded to TF32, so that a video's scores depend neither on its batch nor
    on the machine; and convolutions give the same numbers each time.
    """
    return checked_device("cuda" if torch.cuda.is_available() else "cpu")


def checked_device(device: Device) -> torch.device:
    """Return the device that is meant, made exact as by :func:`pick_device`; InputError where there is none."""
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, ValueError) as error:
        there = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        raise InputError(
            f"there is no device {str(device)!r} here", hint=f"Devices: {', '.join(there)}"
        ) from error
    if found.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.deterministic = True
    return found


def amp_dtype(amp: str, device: torch.device) -> torch.dtype | None:
    """Return the dtype of a setting of ``training.amp`` on ``device``; None for full precision."""
    if amp in ("auto", "native") and device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if amp == "native" and device.type == "cpu":
        computes = torch.cpu.get_capabilities()
        return torch.bfloat16 if computes.get("avx512_bf16") or computes.get("amx_bf16") else None
    if amp in ("auto", "native"):
        return None
    return {"off": None, "bf16": torch.bfloat16, "fp16": torch.float16}[amp]


def autocast(dtype: torch.dtype | None, device: torch.device) -> AbstractContextManager[None]:
    """Return the context in which the forward pass runs in ``dtype``."""
    if dtype is None:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=dtype)
