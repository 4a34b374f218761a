"""What went wrong with a job, in words for the record, and of which kind it is."""

import signal
from pathlib import Path

from dynsearch.search.engines.engine import End

_LENGTH = 500


def describe(error: BaseException) -> tuple[End, str]:
    """Return the kind of ``error`` and what it says, on one line."""
    import torch

    from dynsearch.training.ranks import means_lost

    text = f"{type(error).__name__}: {' '.join(str(error).split())}"[:_LENGTH]
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return End.MEMORY, text
    if isinstance(error, RuntimeError) and "can't allocate memory" in text:  # torch's allocator on the CPU.
        return End.MEMORY, text
    if isinstance(error, torch.AcceleratorError):
        return End.DEVICE, text
    if isinstance(error, RuntimeError) and means_lost(error):
        return End.DIED, text
    return End.FAILED, text


def describe_death(exit_code: int | None, *, out_of_memory: bool) -> tuple[End, str]:
    """Return the kind of a worker's end and the reason, in words.

    An exit code below zero is minus the signal that ended it. ``out_of_memory`` is whether the kernel has killed
    processes for memory meanwhile.
    """
    if exit_code is None or exit_code >= 0:
        return End.DIED, f"its process ended (exit code {exit_code})"
    if -exit_code == signal.SIGKILL:
        if out_of_memory:
            return End.MEMORY, "its process was killed (signal 9): the machine ran out of memory"
        return End.DIED, "its process was killed (signal 9), perhaps out of memory"
    return End.DIED, f"its process crashed (signal {-exit_code}, {signal.Signals(-exit_code).name})"


def oom_kills() -> int:
    """Return how many processes this machine's kernel has killed for memory; 0 where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
