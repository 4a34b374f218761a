"""Runs the graphs in this folder and stops each video at the first exit that is sure enough.

Needs numpy and onnxruntime for ``.onnx`` graphs (torch for ``.pt2``); to read videos, also av and pillow.

    python run.py VIDEO...                      prints one line of JSON for each video

    from run import Network
    network = Network("folder")
    network.predict("video.mp4")                # label, probability, exit, frames, gflops
    logits, exits = network.run(clips)          # clips float32 (B, T, 3, H, W), normalised, T in time's order
"""

from __future__ import annotations

import json
import os
import pathlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from dynsearch.data.pyav_reader import PyAVReader
from dynsearch.scores.stop_rule import MEASURES, PATIENCE, StopRule, confidence_at, first_choice, softmax


class Network:
    """A multi-exit network as graphs, one for each step from exit to exit.

    Args:
        folder: Where the graphs and ``network.json`` lie. None: where this file lies.
        threads: Threads of onnxruntime; 0 lets it choose.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None, threads: int = 0) -> None:
        folder = pathlib.Path(folder or pathlib.Path(__file__).parent)
        self.facts = json.loads((folder / "network.json").read_text(encoding="utf-8"))
        self.labels = self.facts["labels"]
        self.steps = self.facts["steps"]
        self.thresholds = [float(value) for value in self.facts["thresholds"]]
        opened = [_open(folder / step["graph"], threads) for step in self.steps]
        self._graphs = [run for run, _ in opened]
        self.runtime = f"{opened[0][1]}, {self.facts.get('quantized', 'float32')}"

    def run(self, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the logits (B, K) at which each video stopped, and its exit (B,), counted from 0."""
        clips = np.asarray(clips, dtype=np.float32)
        rule, seen = StopRule(self.thresholds[:-1], self._measure, self._confidence), None
        logits = np.empty((len(clips), len(self.labels)), dtype=np.float32)
        exits, running = np.zeros(len(clips), dtype=np.int64), np.arange(len(clips))
        kept: dict[str, np.ndarray] = {}
        for k, (step, graph) in enumerate(zip(self.steps, self._graphs, strict=True)):
            given = {**kept, "frames": clips[running][:, step["frames"]]}
            now, *rest = graph({name: given[name] for name in step["inputs"]})
            stops, seen = rule.meet(seen, now)
            logits[running[stops]], exits[running[stops]] = now[stops], k
            if stops.all():
                break
            running, seen = running[~stops], seen[:, ~stops]
            names = (name[len("next_") :] for name in step["outputs"][1:])
            kept = {name: value[~stops] for name, value in zip(names, rest, strict=True)}
        return logits, exits

    def predict(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        """Return the answer for one video file: label, probability, exit (from 1), frames, cost."""
        logits, exits = self.run(self.read(path)[None])
        step, cost = self.steps[exits[0]], self.facts.get("measure", "gflops")
        logits = logits.astype(np.float64)
        several = self.facts["confidence"] == "max-sigmoid"
        probabilities = (1 / (1 + np.exp(-logits)) if several else softmax(logits))[0]
        best = int(probabilities.argmax())
        return {
            "video": str(path),
            "label": self.labels[best],
            "probability": float(probabilities[best]),
            "exit": int(exits[0]) + 1,
            "frames": step["frames_seen"],
            cost: step[cost],
        }

    def read(self, path: str | os.PathLike[str]) -> np.ndarray:
        """Return the frames of a video as the network wants them, float32 (T, 3, H, W); VideoError for damage."""
        count, kept = self.facts["num_frames"], self.facts.get("cache_frames")
        middles: list[int] = []

        def distinct(shown: int) -> list[int]:
            taken = _centres(kept or shown, count)
            middles.extend((_centres(shown, kept)[taken] if kept else taken).tolist())
            return sorted(set(middles))

        pictures = PyAVReader().read(pathlib.Path(path), distinct, strict=True)
        chosen = dict(zip(sorted(set(middles)), map(self._prepared, pictures), strict=True))
        frames = np.stack([chosen[i] for i in middles])
        mean, std = (np.array(self.facts[name], dtype=np.float32) for name in ("mean", "std"))
        return ((frames / np.float32(255) - mean) / std).transpose(0, 3, 1, 2)

    def _prepared(self, frame: np.ndarray) -> np.ndarray:
        """Return a frame with its short side resized and the middle square cut out, (H, W, 3)."""
        from PIL import Image

        picture = Image.fromarray(frame)
        width, height = picture.size
        short, side = self.facts["short_side"], self.facts["image_size"]
        if width <= height:  # noqa: SIM108
            size = (short, int(short * height / width))
        else:
            size = (int(short * width / height), short)
        # Kept frames are squares of the short side, of which the middle is cut out again.
        square = short if self.facts.get("cache_frames") else side
        left, top = ((pixels - square) // 2 + (square - side) // 2 for pixels in size)
        picture = picture.resize(size, Image.Resampling.BILINEAR)
        return np.asarray(picture.crop((left, top, left + side, top + side)), dtype=np.float32)

    def _measure(self, logits: np.ndarray) -> np.ndarray:
        """Return (B,): what an exit's confidence is made of, from its logits."""
        gain, confidence = self.facts["gain"], self.facts["confidence"]
        measure = (
            MEASURES[gain["base"]]
            if gain
            else first_choice
            if confidence == PATIENCE
            else MEASURES[confidence]
        )
        return measure(logits.astype(np.float64))

    def _confidence(self, seen: np.ndarray) -> np.ndarray:
        """Return (B,): what the threshold of the exit seen last is compared with."""
        return confidence_at(seen, self.facts["confidence"], self.facts["gain"])


def _centres(num_video_frames: int, num_frames: int) -> np.ndarray:
    """Return the middle frames of equal parts of a video."""
    return (2 * np.arange(num_frames) + 1) * num_video_frames // (2 * num_frames)


def _open(path: pathlib.Path, threads: int) -> tuple[Callable[[dict[str, np.ndarray]], Any], str]:
    """Return a function from the graph's inputs by name to its outputs, a list, and what runs it."""
    if path.suffix == ".pt2":
        import torch

        module = torch.export.load(path).module()

        def run(given: dict[str, np.ndarray]) -> list[np.ndarray]:
            with torch.inference_mode():
                results = module(tuple(torch.from_numpy(np.ascontiguousarray(x)) for x in given.values()))
            return [result.numpy() for result in results]

        return run, "torch"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    wanted = [f"{name}ExecutionProvider" for name in ("Tensorrt", "CUDA", "OpenVINO", "CPU")]
    there = [name for name in wanted if name in onnxruntime.get_available_providers()]
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=there)
        shapes = {
            given.name: [n if isinstance(n, int) else 1 for n in given.shape]
            for given in session.get_inputs()
        }
        session.run(None, {name: np.zeros(shape, np.float32) for name, shape in shapes.items()})
    except Exception as error:  # providers' own are nothing more special
        if there == wanted[-1:]:
            raise
        print(f"run.py: {there[0]} can't run {path.name}, which the CPU does: {error}"[:300], file=sys.stderr)
        session = onnxruntime.InferenceSession(str(path), options, providers=wanted[-1:])
    used = {given.name for given in session.get_inputs()}
    taken = f"onnxruntime {session.get_providers()[0].removesuffix('ExecutionProvider')}"
    return lambda given: session.run(None, {name: x for name, x in given.items() if name in used}), taken


if __name__ == "__main__":
    network = Network()
    print(f"run.py: {network.runtime}", file=sys.stderr)
    failed = 0
    for video in sys.argv[1:]:
        try:
            print(json.dumps(network.predict(video)), flush=True)
        except (OSError, ValueError) as error:
            failed = 1
            print(f"run.py: {error}", file=sys.stderr)
    sys.exit(failed)
