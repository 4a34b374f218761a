"""Which videos a user means by files, folders and patterns."""

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from dynsearch.data.frame_folder import holds_frames
from dynsearch.data.video_names import VIDEO_ENDINGS, is_byproduct, is_video
from dynsearch.errors import InputError


def find_videos(sources: Iterable[str]) -> list[Path]:
    """Return the videos named, each once, in the order given; those of a folder or pattern by name.

    Args:
        sources: Files (taken as they are, so that a missing one is reported when it is read), folders (all
            videos in and below them; a folder of numbered JPEG frames is one video), and patterns such as
            ``clips/**/*.mp4``.

    Raises:
        InputError: A folder holds no video, or a pattern fits nothing.
    """
    return list(dict.fromkeys(path for source in sources for path in _videos(source)))


def _videos(source: str) -> Iterator[Path]:
    path = Path(source)
    if path.is_dir():
        found = [path] if holds_frames(path) else _inside(path)
        if not found:
            raise InputError("holds no video", where=source, hint=f"Videos end in {' '.join(VIDEO_ENDINGS)}")
        yield from found
    elif glob.has_magic(source) and not path.exists():
        asked = set(path.parts)
        found = [Path(name) for name in sorted(glob.glob(source, recursive=True))]
        found = [match for match in found if not any(map(is_byproduct, set(match.parts) - asked))]
        if not found:
            raise InputError("fits no file", where=source, hint="Check the pattern and the folder")
        for match in found:
            yield from _videos(str(match)) if match.is_dir() else (match,)
    else:
        yield path


def _inside(folder: Path) -> list[Path]:
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_byproduct(name))
        found += [Path(parent, name) for name in sorted(files) if is_video(parent, name)]
        if parent != str(folder) and holds_frames(Path(parent)):
            found.append(Path(parent))
    return found
