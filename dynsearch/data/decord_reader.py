"""The video reader on decord 0.6."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


class DecordReader:
    """Reads with decord, one decoding thread, one opening per call.

    A decord reader inherited by a fork hangs, and one that is left open goes on decoding into memory, so
    none is ever kept. With several worker processes one thread costs the least CPU time.
    """

    def num_frames(self, path: Path) -> int:
        """Return how many frames the file has."""
        return len(_open(path, strict=False))

    def read(
        self, path: Path, choose: Callable[[int], Sequence[int]], *, strict: bool
    ) -> npt.NDArray[np.uint8]:
        """Return the frames ``choose(num_frames)``, uint8 (T, H, W, 3), RGB."""
        video = _open(path, strict=strict)
        frames: npt.NDArray[np.uint8] = video.get_batch(list(choose(len(video)))).asnumpy()
        return frames


def _open(path: Path, *, strict: bool) -> Any:
    # torch comes first: on machines with a GPU, decord before torch crashes or hangs.
    import torch  # noqa: F401
    from decord import VideoReader, cpu

    # fault_tol is the number of damaged frames decord may silently replace; -1 means any number.
    return VideoReader(str(path), ctx=cpu(0), num_threads=1, fault_tol=1 if strict else -1)
