"""Crops and normalisation, the same for all frames of a video.

Horizontal flips, which may change a video's class, are in ``flips``.

Source: TSN's multi-scale cropping (Wang et al., ECCV 2016), with the numbers its released recipe uses.
"""

from typing import NamedTuple

import numpy as np
import torch

from dynsearch import compiler
from dynsearch.data.sampling import Resize

with compiler.not_yet():
    from torchvision.transforms import v2
    from torchvision.transforms.v2 import functional

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

CROP_SCALES = (1.0, 0.875, 0.75, 0.66)
"""Crop sizes, as shares of the picture's short side."""

_SNAP_PIXELS = 3
_CROP_POINTS = tuple(
    (down, right)
    for down in range(5)
    for right in range(5)
    if (down % 2 == 0 and right % 2 == 0) or (down % 2 == 1 and right % 2 == 1)
)
"""The 13 places of a crop, in quarters of the room there is: a 3 x 3 grid and the 4 quarter points."""


class Crop(NamedTuple):
    """A rectangle of a picture, in pixels."""

    top: int
    left: int
    height: int
    width: int


def draw_multi_scale_crop(height: int, width: int, image_size: int, rng: np.random.Generator) -> Crop:
    """Draw one of 10 pairs of sizes that differ by at most one step, and one of 13 places.

    Crop sizes within 3 pixels of ``image_size``, the side of the network's input, become it.
    """
    short = min(height, width)
    sizes = [int(short * scale) for scale in CROP_SCALES]
    sizes = [
        image_size if abs(size - image_size) <= _SNAP_PIXELS and image_size <= short else size
        for size in sizes
    ]
    pairs = [(tall, wide) for i, tall in enumerate(sizes) for j, wide in enumerate(sizes) if abs(i - j) <= 1]
    tall, wide = pairs[rng.integers(len(pairs))]
    down, right = _CROP_POINTS[rng.integers(len(_CROP_POINTS))]
    return Crop((height - tall) // 4 * down, (width - wide) // 4 * right, tall, wide)


def apply_crop(frames_TCHW: torch.Tensor, crop: Crop, image_size: int) -> torch.Tensor:
    """Cut a rectangle out of frames, uint8 (T, C, H, W), and resize it to (T, C, image_size, image_size)."""
    side = [image_size, image_size]
    return functional.resized_crop(frames_TCHW, *crop, side, v2.InterpolationMode.BILINEAR, antialias=True)


def resize_short_side(frames_TCHW: torch.Tensor, short_side: int) -> torch.Tensor:
    """Resize all frames, uint8 (T, C, H, W), so that the shorter side has ``short_side`` pixels."""
    if min(frames_TCHW.shape[-2:]) == short_side:
        return frames_TCHW
    return functional.resize(frames_TCHW, [short_side], v2.InterpolationMode.BILINEAR, antialias=True)


def centre_crop(frames_TCHW: torch.Tensor, image_size: int) -> torch.Tensor:
    """Cut the square of ``image_size`` pixels out of the middle of all frames, (..., C, H, W)."""
    top, left = ((side - image_size) // 2 for side in frames_TCHW.shape[-2:])
    return frames_TCHW[..., top : top + image_size, left : left + image_size]


def to_square(frames_TCHW: torch.Tensor, size: int, how: Resize) -> torch.Tensor:
    """Return all frames as squares of ``size`` pixels, made as ``how`` says."""
    if how == "crop":
        return centre_crop(resize_short_side(frames_TCHW, size), size)
    height, width = frames_TCHW.shape[-2:]
    longer = max(height, width) if how == "letterbox" else 0
    tall, wide = (max(1, round(side * size / longer)) if longer else size for side in (height, width))
    if (tall, wide) != (height, width):
        frames_TCHW = functional.resize(
            frames_TCHW, [tall, wide], v2.InterpolationMode.BILINEAR, antialias=True
        )
    top, left = (size - tall) // 2, (size - wide) // 2
    return functional.pad(frames_TCHW, [left, top, size - wide - left, size - tall - top])


def normalise(frames: torch.Tensor) -> torch.Tensor:
    """Return uint8 RGB (..., 3, H, W) as float32 with ImageNet's mean and standard deviation removed."""
    mean = torch.tensor(IMAGENET_MEAN).view(3, 1, 1)
    std = torch.tensor(IMAGENET_STD).view(3, 1, 1)
    return frames.to(torch.float32).mul_(1 / (255 * std)).sub_(mean / std)
