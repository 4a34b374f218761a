"""Frames that carry their own index as black and white bars, readable after coding."""

import numpy as np

_BITS = 8


def draw(index, height=64, width=96):
    """Return uint8 (H, W, 3): 8 vertical bars, the highest bit first, over a grey margin."""
    frame = np.full((height, width, 3), 128, dtype=np.uint8)
    bar = width // _BITS
    for bit in range(_BITS):
        value = 235 if index >> (_BITS - 1 - bit) & 1 else 20
        frame[8:-8, bit * bar : (bit + 1) * bar] = value
    return frame


def read(frame):
    """Return the index that a frame carries."""
    height, width = frame.shape[:2]
    bar = width // _BITS
    middle = frame[height // 2 - 4 : height // 2 + 4].mean(axis=(0, 2))
    bits = [middle[bit * bar + bar // 2] > 128 for bit in range(_BITS)]
    return int("".join(str(int(bit)) for bit in bits), 2)
