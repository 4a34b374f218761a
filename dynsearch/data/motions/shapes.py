"""Shapes drawn as soft masks on a picture whose borders are joined (what leaves right enters left)."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Distance = Callable[[Array, Array], Array]
"""From (u, v), the place in units of the radius, to a distance: below 0 inside, in the same unit."""


def _box(u: Array, v: Array, half_u: float, half_v: float) -> Array:
    return np.maximum(np.abs(u) - half_u, np.abs(v) - half_v)


def _triangle(u: Array, v: Array) -> Array:
    # A narrow arrow head: its point is at u = 1, its base at u = -0.8.
    return np.maximum(-0.8 - u, (np.abs(v) * 1.8 + (u - 1.0) * 0.8) / 1.97)


def _checkerboard(u: Array, v: Array) -> Array:
    tiles = np.sin(np.pi * 1.6 * u) * np.sin(np.pi * 1.6 * v)
    return np.maximum(_box(u, v, 1.0, 1.0), -0.25 * tiles)


def _stripes(u: Array, v: Array) -> Array:
    return np.maximum(_box(u, v, 1.0, 1.0), -0.2 * np.sin(2 * np.pi * 1.3 * u))


SHAPES: dict[str, Distance] = {
    "hammer": lambda u, v: np.minimum(_box(u, v, 1.0, 0.22), _box(u - 0.65, v, 0.35, 0.75)),
    "triangle": _triangle,
    "checkerboard": _checkerboard,
    "stripes": _stripes,
    "ring": lambda u, v: np.abs(np.hypot(u, v) - 0.75) - 0.22,
    "cross": lambda u, v: np.minimum(_box(u, v, 1.0, 0.25), _box(u, v, 0.25, 1.0)),
}


def coverage(
    shape: str, x_T: Array, y_T: Array, size_T: Array, angle_T: Array, side: int
) -> npt.NDArray[np.float32]:
    """Return how much of each pixel the shape covers, float32 (T, H, W) from 0 to 1, edges about one pixel soft.

    Centre and radius are shares of the side, H = W in pixels; angles are radians, growing clockwise.
    """
    centres = (np.arange(side) + 0.5) / side
    dx_TW = (centres[None, :] - x_T[:, None] + 0.5) % 1.0 - 0.5
    dy_TH = (centres[None, :] - y_T[:, None] + 0.5) % 1.0 - 0.5
    cos_T, sin_T = np.cos(angle_T) / size_T, np.sin(angle_T) / size_T
    u = cos_T[:, None, None] * dx_TW[:, None, :] + sin_T[:, None, None] * dy_TH[:, :, None]
    v = cos_T[:, None, None] * dy_TH[:, :, None] - sin_T[:, None, None] * dx_TW[:, None, :]
    distance_pixels = SHAPES[shape](u, v) * (size_T * side)[:, None, None]
    return np.clip(0.5 - distance_pixels, 0.0, 1.0).astype(np.float32)
