"""On what time is measured: what was asked for, and what there is."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Literal

from pydantic import Field

from dynsearch.errors import InputError
from dynsearch.validation import Settings, differences


class Asked(Settings):
    """What time is to be of; a recipe's section ``ms``."""

    device: str | None = None
    """For instance ``cpu`` or ``cuda:1``; none: the first GPU, or the CPU where there is none."""
    batch: int = Field(default=1, ge=1)
    """Videos that go through the network together; the time of one is a share of it."""
    runtime: Literal["auto", "eager", "compile", "graphs", "onnx"] = "auto"
    """What runs the network's steps."""


class Setup(Settings):
    """What a table was measured on.

    Attributes:
        device: ``cpu`` or ``cuda``.
        hardware: What the processor or the GPU calls itself.
        threads: Of torch, on the processor.
        dtype: Of the network.
        runtime: What ran its steps, never ``auto``.
        batch: Videos at a time.
    """

    device: str
    hardware: str
    threads: int = Field(ge=1)
    dtype: str = "float32"
    runtime: str
    batch: int = Field(ge=1)

    @classmethod
    def here(cls, asked: Asked, *, elsewhere: bool = False) -> Setup:
        """Return what is asked for, on this machine.

        Args:
            asked: What is asked for.
            elsewhere: Whether a device that is not here will do.

        Raises:
            InputError: There is no such device here.
        """
        import torch

        from dynsearch.training.device import checked_device, pick_device

        try:
            device = checked_device(asked.device) if asked.device else pick_device()
            kind = device.type
            hardware = torch.cuda.get_device_name(device) if kind == "cuda" else _processor()
        except InputError:
            if not elsewhere:
                raise
            kind, hardware = str(asked.device).partition(":")[0], "none here"
        runtime = asked.runtime
        if runtime == "auto":
            runtime = "eager" if kind == "cpu" else "graphs"
        threads = torch.get_num_threads()
        return cls(device=kind, hardware=hardware, threads=threads, runtime=runtime, batch=asked.batch)

    def other_than(self, here: Setup) -> list[str]:
        """Return what of it is otherwise ``here``, in words."""
        return [text.replace("was", "is", 1).replace(", now", ", here") for text in
                differences(self.resolved(), here.resolved())]  # fmt: skip

    def __str__(self) -> str:
        threads = f", {self.threads} thread{'s' * (self.threads > 1)}" if self.device == "cpu" else ""
        videos = f"{self.batch} video{'s' * (self.batch > 1)} at a time"
        return f"{self.hardware}{threads}, {self.dtype}, {self.runtime}, {videos}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
