"""A bundle in use: videos in, labels out, stopping as early as the policy allows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from huggingface_hub import ModelHubMixin

from dynsearch.cost import build_network
from dynsearch.data.augmentation import centre_crop, normalise, resize_short_side
from dynsearch.data.reader import read_frames
from dynsearch.data.sampling import segment_centres
from dynsearch.export.bundle import Bundle
from dynsearch.export.hub import download, write_hub_files
from dynsearch.training.device import pick_device
from dynsearch.training.source import TEST_RESIZE
from dynsearch.training.weights import load_weights


@dataclass(frozen=True)
class Prediction:
    """The answer for one video.

    Attributes:
        label: Name of the class.
        probability: Softmax probability of that class at the exit where the video stopped.
        exit: That exit, counted from 1.
        num_exits: How many exits there are.
        frames: Frames the network looked at.
        gflops: GFLOPs (10^9 multiply-accumulates) spent.
        top5: Up to five (name, probability), likeliest first.
    """

    label: str
    probability: float
    exit: int
    num_exits: int
    frames: int
    gflops: float
    top5: tuple[tuple[str, float], ...]


class LoadedNetwork(ModelHubMixin):
    """A trained multi-exit network with its exit policy, on the first CUDA device or the CPU.

    ``save_pretrained``, ``push_to_hub`` and ``from_pretrained`` are those of ``huggingface_hub``'s mixin.

    Args:
        bundle: A bundle's folder, or the bundle itself.
        reader: The video reader's name; None takes the bundle's own.

    Raises:
        BundleError: The folder is no bundle.
        WeightsError: The weights are damaged or of another network.
    """

    def __init__(self, bundle: Bundle | str | os.PathLike[str], *, reader: str | None = None) -> None:
        self.bundle = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
        self.reader = reader or self.bundle.recipe.reader
        self.device = pick_device()
        self._hub_mixin_config = {"library_name": "dynsearch", "plan": self.bundle.plan.to_dict()}
        network = load_network(self.bundle)
        self.network: Any = network.to(self.device, memory_format=torch.channels_last).eval()

    def read_clip(self, path: str | os.PathLike[str]) -> torch.Tensor:
        """Return the frames of a video as the network wants them, float32 (T, C, H, W), in temporal order.

        Raises:
            VideoError: The video can't be read.
        """
        plan = self.bundle.plan
        frames = read_frames(
            path, lambda count: segment_centres(count, plan.num_frames).tolist(), reader=self.reader
        )
        return self.prepare(frames)

    def prepare(self, frames_THWC: npt.NDArray[np.uint8]) -> torch.Tensor:
        """Return RGB frames, uint8 (T, H, W, 3), as the network wants them, float32 (T, C, H, W)."""
        frames_TCHW = torch.from_numpy(frames_THWC).permute(0, 3, 1, 2)
        resized = resize_short_side(frames_TCHW, short_side(self.bundle))
        return normalise(centre_crop(resized, self.bundle.plan.image_size))

    def predict(self, path: str | os.PathLike[str]) -> Prediction:
        """Return the answer for one video file.

        Raises:
            VideoError: The video can't be read.
        """
        clip = self.read_clip(path).unsqueeze(0).to(self.device)
        result = self.network.forward_until(clip, self.bundle.policy)
        return self.describe(result.logits[0], int(result.exit[0]))

    def describe(self, logits_K: torch.Tensor, exit_index: int) -> Prediction:
        """Return what logits (K,) say that came from an exit, counted from 0."""
        probabilities, classes = logits_K.softmax(dim=0).topk(min(5, len(self.bundle.class_names)))
        names = [self.bundle.class_names[index] for index in classes.tolist()]
        top5 = tuple(zip(names, probabilities.tolist(), strict=True))
        plan = self.bundle.plan
        return Prediction(
            label=top5[0][0],
            probability=top5[0][1],
            exit=exit_index + 1,
            num_exits=len(plan.exits),
            frames=plan.frames_seen(plan.exits.exits[exit_index]),
            gflops=float(self.network.gmacs_E[exit_index]),
            top5=top5,
        )

    def _save_pretrained(self, save_directory: Path) -> None:
        write_hub_files(self.bundle, save_directory)

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **options: Any) -> LoadedNetwork:
        return cls(download(model_id, **options))


def load_network(bundle: Bundle) -> Any:
    """Return the bundle's network with its weights, on the CPU.

    Raises:
        WeightsError: The weights are damaged or of another network.
    """
    network = build_network(bundle.plan, len(bundle.class_names))
    load_weights(network, bundle.weights)
    return network


def short_side(bundle: Bundle) -> int:
    """Return to how many pixels the short side of a frame is resized before its middle is cut out."""
    cache = bundle.recipe.frame_cache
    return cache.size if cache else round(bundle.plan.image_size * TEST_RESIZE)
