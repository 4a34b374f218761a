"""Which device to train on, and in which precision."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import torch


def pick_device() -> torch.device:
    """Return the first CUDA device if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def amp_dtype(amp: str, device: torch.device) -> torch.dtype | None:
    """Return the dtype of mixed precision on ``device``, or None for full precision.

    Args:
        amp: ``auto``, ``off``, ``bf16`` or ``fp16``.
        device: Where training runs.
    """
    if amp == "auto":
        if device.type != "cuda":
            return None
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return {"off": None, "bf16": torch.bfloat16, "fp16": torch.float16}[amp]


def autocast(dtype: torch.dtype | None, device: torch.device) -> AbstractContextManager[None]:
    """Return the context in which the forward pass runs in ``dtype``."""
    if dtype is None:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=dtype)
