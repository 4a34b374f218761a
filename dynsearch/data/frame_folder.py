"""Videos kept as folders of JPEG files, one per frame, as Jester and Something-Something v1 are."""

import os
import re
from pathlib import Path

import numpy as np

from dynsearch.data.frame_index import Choose, Frames
from dynsearch.errors import VideoError

_FRAME = re.compile(r"(?:[A-Za-z_]+)?(\d+)\.jpe?g", re.IGNORECASE)
_HINT = "Unpack it again from the data set's archive"


class FrameFolderReader:
    """Reads ``00001.jpg``, ``00002.jpg``, ... of one folder; ``path`` is the folder."""

    def num_frames(self, path: Path) -> int:
        """Return how many frames the folder has."""
        return len(_frame_files(path))

    def read(self, path: Path, choose: Choose, *, strict: bool) -> Frames:
        """Return the frames ``choose(num_frames)``, uint8 (T, H, W, 3), RGB."""
        files = _frame_files(path)
        frames = [_read(path, files[index]) for index in choose(len(files))]
        shapes = {frame.shape for frame in frames}
        if len(shapes) > 1:
            raise VideoError(
                f"has frames of different sizes: {sorted(shapes)[:2]}", where=str(path), hint=_HINT
            )
        return np.stack(frames)


def holds_frames(folder: Path) -> bool:
    """Return whether ``folder`` holds numbered JPEG files, one per frame."""
    with os.scandir(folder) as entries:
        return any(_FRAME.fullmatch(entry.name) for entry in entries)


def _frame_files(path: Path) -> list[str]:
    """Return the names of the folder's frames in order; none may be missing or be a link."""
    numbered: dict[int, str] = {}
    with os.scandir(path) as entries:
        for entry in entries:
            match = _FRAME.fullmatch(entry.name)
            if match is None:
                continue
            if not entry.is_file(follow_symlinks=False):
                raise VideoError(f"its {entry.name} is not a regular file", where=str(path), hint=_HINT)
            numbered[int(match[1])] = entry.name
    if not numbered:
        raise VideoError(
            "is not a regular file, nor a folder of frames (00001.jpg, ...)", where=str(path), hint=_HINT
        )
    first, last = min(numbered), max(numbered)
    if len(numbered) != last - first + 1:
        missing = next(number for number in range(first, last) if number not in numbered)
        raise VideoError(f"has no frame {missing}, but a frame {last}", where=str(path), hint=_HINT)
    return [numbered[number] for number in sorted(numbered)]


def _read(folder: Path, name: str) -> Frames:
    from PIL import Image

    try:
        with Image.open(folder / name, formats=("JPEG",)) as picture:
            return np.asarray(picture.convert("RGB"))
    except Exception as error:
        raise VideoError(f"its {name} can't be decoded: {error}", where=str(folder), hint=_HINT) from error
