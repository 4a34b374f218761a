"""Starting the processes of one training on this machine, and ending all of them when one ends.

Processes find each other through a file in a folder of their own, so that no port is needed for it. They notice
the end of their launcher, however it ends, by their standard input.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from dynsearch.errors import Stopped, TrainingError
from dynsearch.machine import available_cores

_FOLDER = "DYNSEARCH_RANKS"
LOST = 75
"""Exit code of a process that waited for another in vain; the launcher says for which."""
STOPPED = 76
"""Exit code of a process that was asked to stop, and whose training can go on."""

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 10.0
"""How long processes may take to end by themselves, after one has failed, before they are killed."""


def is_rank() -> bool:
    """Return whether this process was started as one of several, by :func:`launch` or torchrun."""
    return all(name in os.environ for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"))


def rendezvous_file() -> Path | None:
    """Return the file through which :func:`launch`'s processes find each other; None under torchrun."""
    folder = os.environ.get(_FOLDER)
    return Path(folder) / "rendezvous" if folder else None


def prepare_rank() -> None:
    """Let this process, one of several, end when its launcher ends or sends SIGTERM. Call it before torch is loaded.

    Torch's C++ side then writes errors only: in every process it would warn that each step looks for exits without
    a gradient, which is as it should be.
    """
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    if rendezvous_file() is None:  # torchrun takes care of its processes.
        return

    def wait() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
    signal.signal(signal.SIGTERM, _exit)


def launch(command: Sequence[str], count: int) -> int:
    """Run ``command`` in ``count`` processes on this machine and return their exit code.

    They get ``RANK``, ``LOCAL_RANK`` and ``WORLD_SIZE``, and a share of the cores. When one fails, the others
    may end by themselves for a few seconds and are then killed. They end with this process in any case.

    Returns:
        0 if all ended well; 2 if one met bad usage, which it has printed; 1 if one failed otherwise.

    Raises:
        TrainingError: A process was killed, or did not answer the others.
        Stopped: This process or one of those got SIGTERM.
        SystemExit: This process got SIGHUP.
    """
    processes: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="dynsearch-") as folder, _ended_by_signals():
        try:
            for rank in range(count):
                processes.append(_start(command, rank, count, folder))
            killed = _wait(processes)
            codes = [process.returncode for process in processes]
        finally:
            _end(processes)
    own_failures = {code for code in codes if code is not None and code > 0} - {LOST, STOPPED}
    if killed is not None:
        reason = f"process {killed} (of 0 to {count - 1}) was killed by {signal.Signals(-codes[killed]).name}"
    elif own_failures:
        return 2 if 2 in own_failures else 1
    elif STOPPED in codes:
        raise Stopped
    elif LOST in codes:
        silent = [str(rank) for rank, code in enumerate(codes) if code is None]
        reason = f"process {', '.join(silent) or 'of this training'} did not answer the others in time"
    else:
        return 0
    raise TrainingError(
        f"{reason}; all were ended",
        hint="Memory may be short, or the disk slow. The same command again goes on from the last saved state",
    )


def rank_environment(rank: int, count: int, folder: str) -> dict[str, str]:
    """Return what a process sees that is one of ``count`` on this machine, which find each other in ``folder``."""
    own = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, _FOLDER: folder}
    loopback = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), None)
    talks = os.environ.get("GLOO_SOCKET_IFNAME", loopback)
    return {name: str(value) for name, value in own.items()} | (
        {"GLOO_SOCKET_IFNAME": talks} if talks else {}
    )


def _start(command: Sequence[str], rank: int, count: int, folder: str) -> subprocess.Popen[bytes]:
    threads = {"OMP_NUM_THREADS": str(max(1, available_cores() // count))}
    environment = threads | os.environ | rank_environment(rank, count, folder)
    # A session of its own: Ctrl-C reaches the launcher only, and workers of a process can be ended with it.
    return subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, start_new_session=True)


def _wait(processes: list[subprocess.Popen[bytes]]) -> int | None:
    """Wait until all have ended or, after a failure, had time to. Return which was killed first, if one was."""
    killed, deadline = None, None
    while True:
        codes = [process.poll() for process in processes]
        if killed is None:
            killed = next((rank for rank, code in enumerate(codes) if code and code < 0), None)
        if any(codes) and deadline is None:
            deadline = time.monotonic() + _GRACE_SECONDS
        if None not in codes or (deadline is not None and time.monotonic() > deadline):
            return killed
        time.sleep(_POLL_SECONDS)


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    """End what still runs: politely, then with all its workers."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + _GRACE_SECONDS
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdin is not None:
            process.stdin.close()


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM raise Stopped and SIGHUP SystemExit during the block, as Ctrl-C raises KeyboardInterrupt."""
    handlers = {signal.SIGTERM: _stop, signal.SIGHUP: _exit}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # A second one must not cut off the ending of the others.
    raise Stopped


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
