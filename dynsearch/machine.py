"""What this machine has."""

import os
import platform
import re
import sys
from pathlib import Path
from typing import Any


def available_cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def described() -> dict[str, Any]:
    """Return what this machine is, without its name: processor, cores, and GPUs where torch is loaded and has any."""
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(errors="replace"), re.M)
    except OSError:
        found = None
    torch: Any = sys.modules.get("torch")
    with_gpu = torch is not None and torch.cuda.is_available()
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if with_gpu else []
    processor = found[1] if found else platform.processor() or platform.machine()
    return {"processor": processor, "cores": available_cores(), **({"gpus": gpus} if gpus else {})}
