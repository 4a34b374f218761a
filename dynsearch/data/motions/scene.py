"""One motions video as an array: where the object is in every frame, and what that looks like.

In every frame of every moving class the object's place, size and angle have the same distribution:
places wrap around the picture's borders, sizes around the largest one (one object after the other
comes near), and all start uniformly. So one frame, or a set of frames without their order, says nothing
about which movement it is, and the two directions of a movement are each other played backwards.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from dynsearch.data.motions.classes import MOVING_SHAPES, MotionClass
from dynsearch.data.motions.shapes import coverage

FloatArray = npt.NDArray[np.float32]

BACKGROUND = 0.35
"""Mean brightness of the background, from 0 to 1."""

SIZE_RANGE = (0.18, 0.42)
"""Smallest and largest radius of the object, as a share of the picture's side."""

CHANGE_PER_VIDEO = {
    "horizontal": (0.45, 1.15),  # of the picture's side
    "vertical": (0.45, 1.15),
    "scale": (0.6, 1.1),  # of the way from the smallest size to the largest, by ratio
    "rotation": (0.15, 0.38),  # turns
    "drift": (0.0, 0.0),
}
"""How much the moving quantity changes from the first to the last frame: least and most."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Track:
    """The object's state in each of T frames. Places and sizes are shares of the picture's side.

    Attributes:
        x_T: Centre, from the left, modulo 1.
        y_T: Centre, from the top, modulo 1.
        size_T: Radius.
        angle_T: Angle in radians, growing clockwise.
    """

    x_T: npt.NDArray[np.float64]
    y_T: npt.NDArray[np.float64]
    size_T: npt.NDArray[np.float64]
    angle_T: npt.NDArray[np.float64]


def draw_track(motion: MotionClass, num_frames: int, jitter: float, rng: np.random.Generator) -> Track:
    """Draw the object's track of T frames for a class.

    ``jitter`` is the standard deviation of its trembling, as a share of the range a quantity wraps in.
    """
    start = dict(zip(("horizontal", "vertical", "scale", "rotation"), rng.random(4), strict=True))
    least, most = CHANGE_PER_VIDEO[motion.movement]
    total = motion.sign * (least + (most - least) * rng.random())
    time_T = np.linspace(0.0, 1.0, num_frames)
    state = {name: value + jitter * rng.standard_normal(num_frames) for name, value in start.items()}
    if motion.movement == "drift":
        for name in ("horizontal", "vertical"):
            state[name] = state[name] + np.cumsum(rng.normal(0.0, 0.03, num_frames))
    else:
        state[motion.movement] = state[motion.movement] + total * time_T
    smallest, largest = SIZE_RANGE
    return Track(
        x_T=state["horizontal"] % 1.0,
        y_T=state["vertical"] % 1.0,
        size_T=smallest * (largest / smallest) ** (state["scale"] % 1.0),
        angle_T=2 * np.pi * state["rotation"],
    )


def render(
    motion: MotionClass, num_frames: int, side: int, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Draw one video of a class, uint8 (T, H, W, 3), RGB, H = W = ``side``."""
    difficulty = rng.random()
    track = draw_track(motion, num_frames, 0.004 + 0.016 * difficulty, rng)
    shape = motion.shape or MOVING_SHAPES[rng.integers(len(MOVING_SHAPES))]
    background_HWC = _background(side, rng)
    canvas_THWC = np.repeat(background_HWC[None], num_frames, axis=0)

    contrast = 0.6 - 0.32 * difficulty
    for _ in range(rng.integers(0, 1 + round(2 * difficulty))):
        _paint_distractor(canvas_THWC, contrast, rng)
    mask_THW = coverage(shape, track.x_T, track.y_T, track.size_T, track.angle_T, side)
    _paint(canvas_THWC, mask_THW, _colour(contrast, rng))

    noise = 0.02 + 0.05 * difficulty
    canvas_THWC += noise * rng.standard_normal(canvas_THWC.shape, dtype=np.float32)
    return (np.clip(canvas_THWC, 0.0, 1.0) * 255).round().astype(np.uint8)


def _background(side: int, rng: np.random.Generator) -> FloatArray:
    """Return a still dark texture, float32 (H, W, 3): coarse coloured clouds and fine grain."""
    coarse = rng.normal(0.0, 0.07, (7, 7, 3))
    place = np.linspace(0.0, 6.0, side)
    low = np.minimum(place.astype(int), 5)
    part = place - low
    rows = coarse[low] * (1 - part)[:, None, None] + coarse[low + 1] * part[:, None, None]
    clouds = rows[:, low] * (1 - part)[None, :, None] + rows[:, low + 1] * part[None, :, None]
    grain = rng.normal(0.0, 0.03, (side, side, 1))
    return (BACKGROUND + clouds + grain).astype(np.float32)


def _colour(contrast: float, rng: np.random.Generator) -> FloatArray:
    """Return a colour that is about ``contrast`` brighter than the background, float32 (3,)."""
    return (BACKGROUND + contrast + rng.normal(0.0, 0.12, 3)).astype(np.float32)


def _paint(canvas_THWC: FloatArray, mask_THW: FloatArray, colour: FloatArray) -> None:
    canvas_THWC += mask_THW[..., None] * (colour - canvas_THWC)


def _paint_distractor(canvas_THWC: FloatArray, contrast: float, rng: np.random.Generator) -> None:
    """Paint a small object that stands still, of a shape the moving classes have too."""
    shape = MOVING_SHAPES[rng.integers(len(MOVING_SHAPES))]
    x, y, turn = rng.random((3, 1))
    size = np.full(1, SIZE_RANGE[0] * 0.7)
    mask_1HW = coverage(shape, x, y, size, 2 * np.pi * turn, canvas_THWC.shape[1])
    _paint(canvas_THWC, mask_1HW, _colour(contrast, rng))
