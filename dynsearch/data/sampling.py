"""Which frames of a video a network sees: one per segment, as in TSN.

A video of N frames is cut into T segments of equal length N / T. Training takes one random frame of each,
testing the middle one. With fewer frames than segments some frames are taken more than once, in order.

Source: Wang et al., Temporal Segment Networks, ECCV 2016, section 3.1.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from dynsearch.errors import InputError

Indices = npt.NDArray[np.int64]
Sampling = Literal["segments", "ends", "padded"]
"""How frames are taken where none are drawn, as in ``training.sampling``."""
Resize = Literal["crop", "squeeze", "letterbox"]
"""How a frame becomes a square: its middle; all of it, however wide; or all of it in its shape, between black bars."""


def segment_centres(num_video_frames: int, num_frames: int) -> Indices:
    """Return the middle frame of each of T segments of N frames: ``floor(N / T * (t + 1/2))``, int64 (T,), rising.

    Raises:
        InputError: One of the numbers is below 1.
    """
    _check(num_video_frames, num_frames)
    odd = 2 * np.arange(num_frames, dtype=np.int64) + 1
    return odd * num_video_frames // (2 * num_frames)


def frames_taken(num_video_frames: int, num_frames: int, sampling: Sampling) -> Indices:
    """Return the T of N frames that are looked at outside of training, int64 (T,), rising.

    Raises:
        InputError: One of the numbers is below 1.
    """
    centres = segment_centres(num_video_frames, num_frames)
    if sampling == "ends":
        return np.linspace(0, num_video_frames, num_frames).astype(np.int64).clip(max=num_video_frames - 1)
    if sampling == "padded" and num_video_frames <= num_frames:
        return np.arange(num_frames, dtype=np.int64).clip(max=num_video_frames - 1)
    return centres


def random_in_segments(num_video_frames: int, num_frames: int, rng: np.random.Generator) -> Indices:
    """Return a uniformly drawn frame of each segment: ``floor(N / T * (t + u_t))``, int64 (T,), rising.

    Raises:
        InputError: One of the numbers is below 1.
    """
    _check(num_video_frames, num_frames)
    drawn = (np.arange(num_frames) + rng.random(num_frames)) * num_video_frames / num_frames
    return np.minimum(drawn.astype(np.int64), num_video_frames - 1)


_PURPOSES: dict[str, tuple[int, ...]] = {"clip": (), "flip": (1,), "replacement": (2,)}


def sample_rng(
    seed: int, epoch: int, index: int, purpose: Literal["clip", "flip", "replacement"] = "clip"
) -> np.random.Generator:
    """Return the random numbers of one sample in one epoch, the same in whichever process it is read.

    Numbers for one purpose do not depend on whether others are drawn.
    """
    return np.random.default_rng((seed, epoch, index, *_PURPOSES[purpose]))


def _check(num_video_frames: int, num_frames: int) -> None:
    if min(num_video_frames, num_frames) < 1:
        raise InputError(f"sampling needs at least 1 frame, got {num_frames} of {num_video_frames}")
