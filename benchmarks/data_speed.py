"""How fast frames are read: our reader against raw decord, PyAV and torchcodec, the frame cache against decoding.

    python benchmarks/data_speed.py [FOLDER ...] [--frames 16] [--size 224] [--rounds 5] [--workers 2]

FOLDER holds videos; without one, videos like those of Something-Something v2 (VP9 webm), Kinetics (H.264 mp4) and
UCF-101 (MPEG-4 avi) are made. Everything is measured in turn, file by file, on one thread, and each file counts with
its fastest round. Per core, goals: our reader at least 0.95 of raw decord, the cache at least 10 x raw decord.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np
import torch

from dynsearch.data import frame_index
from dynsearch.data.clips import ClipDataset
from dynsearch.data.frame_cache import make_frame_cache
from dynsearch.data.layouts.video_tree import SUFFIXES
from dynsearch.data.loader import ClipLoader, EpochOrder
from dynsearch.data.reader import read_frames
from dynsearch.data.records import VideoRecord
from dynsearch.data.sampling import segment_centres

_KINDS = {
    "sthv2.webm": ("libvpx-vp9", 48, (240, 426), {"cpu-used": "8", "deadline": "realtime"}),
    "kinetics.mp4": ("libx264", 300, (256, 340), {"preset": "fast"}),
    "ucf.avi": ("mpeg4", 180, (240, 320), {"q": "4"}),
}


def make_videos(folder: Path, each: int) -> list[Path]:
    """Write moving patterns as videos of three kinds."""
    paths = []
    rng = np.random.default_rng(0)
    for name, (codec, count, (height, width), options) in _KINDS.items():
        for number in range(each):
            texture = rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
            picture = np.kron(texture, np.ones((8, 8, 1), dtype=np.uint8))
            path = folder / f"{number}-{name}"
            with av.open(str(path), "w") as container:
                stream = container.add_stream(codec, rate=25, options=options)
                stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], "yuv420p"
                for t in range(count):
                    moved = np.ascontiguousarray(np.roll(picture, (t, 2 * t), axis=(0, 1)))
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")))
                container.mux(stream.encode(None))
            paths.append(path)
    return paths


def readers(num_frames: int) -> dict[str, Callable[[Path], object]]:
    """Return ways to read ``num_frames`` evenly spaced frames of a file; torchcodec only where it works."""
    import decord  # After torch: with a GPU the other way round crashes.

    decord.logging.set_level(decord.logging.QUIET)

    def centres(count: int) -> list[int]:
        return segment_centres(count, num_frames).tolist()

    def raw_decord(path: Path) -> object:
        video = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
        return video.get_batch(centres(len(video))).asnumpy()

    def first(path: Path) -> object:
        frame_index._known.clear()
        return read_frames(path, centres, strict=False)

    ways: dict[str, Callable[[Path], object]] = {
        "raw decord": raw_decord,
        "ours, first time": first,
        "ours, again": lambda path: read_frames(path, centres, strict=False),
        "ours, strict": lambda path: read_frames(path, centres),
        "PyAV": lambda path: read_frames(path, centres, strict=False, reader="pyav"),
    }
    try:
        from torchcodec.decoders import VideoDecoder
    except (ImportError, RuntimeError, OSError):
        return ways

    def torchcodec(path: Path) -> object:
        video = VideoDecoder(str(path), num_ffmpeg_threads=1)
        return video.get_frames_at(centres(len(video))).data

    return ways | {"torchcodec": torchcodec}


def seconds_per_video(
    ways: dict[str, Callable[[Path], object]], paths: list[Path], rounds: int
) -> dict[str, float]:
    """Return the CPU seconds of each way, the mean over files of each file's fastest round."""
    best = {name: [float("inf")] * len(paths) for name in ways}
    for _ in range(rounds + 1):
        for place, path in enumerate(paths):
            for name, way in ways.items():
                started = time.process_time()
                way(path)
                best[name][place] = min(best[name][place], time.process_time() - started)
    return {name: statistics.mean(values) for name, values in best.items()}


def clips_per_second(
    records: Sequence[VideoRecord], rounds: int, num_workers: int, **settings: object
) -> float:
    """Return the clips a loader gives per second of wall time, in its fastest round."""
    dataset = ClipDataset(records, training=True, seed=0, **settings)  # type: ignore[arg-type]
    best = float("inf")
    for epoch in range(rounds):
        dataset.set_epoch(epoch)
        started = time.perf_counter()
        for _ in ClipLoader(dataset, EpochOrder(dataset, 8, shuffle=True), num_workers=num_workers):
            pass
        best = min(best, time.perf_counter() - started)
    return len(records) / best


def main() -> None:
    """Print milliseconds of CPU time a video, ratios, and a line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--videos", type=int, default=60, help="most videos to read")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        found = sorted(
            path for folder in arguments.folders for path in folder.rglob("*") if path.suffix in SUFFIXES
        )
        paths = found[:: max(1, len(found) // arguments.videos)] or make_videos(Path(temporary), 4)
        records = [VideoRecord(str(number), path, 0) for number, path in enumerate(paths)]
        side = round(arguments.size * 256 / 224)
        cache = make_frame_cache(
            records,
            name="speed",
            num_frames=2 * arguments.frames,
            size=side,
            folder=Path(temporary) / "frames",
        )
        place_of = {path: place for place, path in enumerate(paths)}
        wanted = segment_centres(2 * arguments.frames, arguments.frames)
        ways = readers(arguments.frames)
        settings = {"num_frames": arguments.frames, "image_size": arguments.size, "short_side": side}
        clips = {
            crop: ClipDataset(records, training=crop, multi_scale_crop=crop, seed=0, **settings)
            for crop in (False, True)
        }

        def decord_at_size(path: Path) -> object:
            import decord

            size = arguments.size
            video = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1, width=size, height=size)
            return video.get_batch(segment_centres(len(video), arguments.frames).tolist()).asnumpy()

        def clip(path: Path, *, crop: bool) -> object:
            frame_index._known.clear()
            return clips[crop].batch([place_of[path]])

        ways["raw decord, squeezed"] = decord_at_size
        ways["training clip"] = functools.partial(clip, crop=True)
        ways["test clip"] = functools.partial(clip, crop=False)
        ways["frame cache"] = lambda path: cache.frames_NSHWC[place_of[path], wanted].copy()
        seconds = seconds_per_video(ways, paths, arguments.rounds)
        rates = {
            n: clips_per_second(records, arguments.rounds, n, **settings) for n in (0, arguments.workers)
        }
    raw = seconds["raw decord"]
    print(f"{len(paths)} videos, {arguments.frames} frames each, one thread; {os.cpu_count()} cores")
    for name, value in seconds.items():
        print(
            f"{name:21s} {1000 * value:8.2f} ms of CPU a video, {raw / value:6.2f} x the speed of raw decord"
        )
    speedup = rates[arguments.workers] / rates[0]
    print(
        f"loader, {arguments.size} px crops: {rates[0]:.1f} clips/s with no workers, "
        f"{speedup:.2f} x that with {arguments.workers}"
    )
    print(
        json.dumps(
            {
                "speed": {name: round(raw / value, 3) for name, value in seconds.items()},
                "workers": round(speedup, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
