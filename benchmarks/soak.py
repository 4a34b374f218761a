"""Memory of ``dynsearch predict --stream`` over two hours of video, read as fast as it can be or by the clock.

    python benchmarks/soak.py --hours 2
    python benchmarks/soak.py --hours 2 --live      # frames come through a pipe, ten a second: it takes two hours

Promised: it stays flat. The video is 64 x 48 pixels at 10 frames a second, so two hours are 72,000 frames and 3,600
windows of two seconds; the real command reads it in a process of its own, whose memory is noted ten times.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

import av
import numpy as np

from tests.export.bundles import toy_bundle
from tests.plans import small_plan

RATE, WINDOW = 10, 2.0


def write_video(target: Path | IO[bytes], num_frames: int, *, live: bool = False) -> None:
    """Write frames of which each differs from the one before; ``live``, each at its time."""
    pictures = np.random.default_rng(0).integers(0, 255, (50, 48, 64, 3), dtype=np.uint8)
    file = str(target) if isinstance(target, Path) else target
    started = time.monotonic()
    with av.open(file, "w", format="mpegts") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(num_frames):
            if live:
                time.sleep(max(0.0, started + index / RATE - time.monotonic()))
            picture = av.VideoFrame.from_ndarray(pictures[index % len(pictures)], format="rgb24")
            for packet in stream.encode(picture):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def memory(process: int) -> float:
    """Return the resident memory of a process, in MB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024


def watched(process: subprocess.Popen[bytes], every: int) -> tuple[int, list[float]]:
    """Return how many windows the process answered, and its memory after each ``every`` of them, in MB."""
    num_windows, noted = 0, []
    assert process.stdout is not None
    for _ in process.stdout:
        num_windows += 1
        if num_windows % every == 1:
            noted.append(round(memory(process.pid), 1))
    return num_windows, noted


def feed(process: subprocess.Popen[bytes], num_frames: int) -> None:
    """Write a live video into the process."""
    assert process.stdin is not None
    with process.stdin as pipe:
        write_video(pipe, num_frames, live=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--live", action="store_true")
    arguments = parser.parse_args()
    num_frames = round(arguments.hours * 3600 * RATE)
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        toy_bundle(folder / "net", small_plan("2x3", "4x5", order="sequential", image_size=48))
        source = "-" if arguments.live else "long.ts"
        if not arguments.live:
            write_video(folder / source, num_frames)
        command = [
            sys.executable, "-m", "dynsearch", "predict", "net", source, "--stream", "--window", str(WINDOW),
            "--json",
        ]  # fmt: skip
        started = time.perf_counter()
        pipe = subprocess.PIPE if arguments.live else subprocess.DEVNULL
        process = subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=subprocess.PIPE)
        if arguments.live:
            threading.Thread(target=feed, args=(process, num_frames), daemon=True).start()
        num_windows, noted = watched(process, max(1, round(num_frames / RATE / WINDOW / 10)))
        assert process.wait() == 0
    results = {
        "frames": num_frames,
        "windows": num_windows,
        "seconds": round(time.perf_counter() - started),
        "memory_mb": noted,
        "growth_mb_after_first_tenth": round(noted[-1] - noted[1], 1),
    }
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
