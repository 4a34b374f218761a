"""Makes the motions data set on disk, once: H.264 files and Something-Something-v2's annotation files."""

import dataclasses
import json
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dynsearch.data.motions.classes import CLASSES
from dynsearch.data.motions.scene import render
from dynsearch.data.motions.video_writer import write_h264
from dynsearch.data.watched_workers import Lost, Progress, map_watched
from dynsearch.errors import DataError, DynsearchError
from dynsearch.files import read_json, write_text
from dynsearch.locks import held_lock

VERSION = 3
"""Raised whenever the same seed would give other videos; folders of another version are made again."""

MARKER = "motions.json"
_VIDEO_FOLDER = "20bn-something-something-v2"
_FRAMES = (16, 24)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MotionsSizes:
    """How much to make.

    Attributes:
        num_train: Videos in train.json, from which calibration is carved.
        num_validation: Videos in validation.json, the test split.
        num_unlabelled: Videos in test.json, which has no labels.
        side: Height and width in pixels, even.
        seed: Another seed makes other videos.
    """

    num_train: int = 1800
    num_validation: int = 804
    num_unlabelled: int = 24
    side: int = 48
    seed: int = 0


DEFAULT_SIZES = MotionsSizes()


class _Video(NamedTuple):
    """One video to make: where, of which class, and the numbers that seed it."""

    path: Path
    label: int
    side: int
    seeds: tuple[int, ...]


def generate_motions(
    root: Path,
    sizes: MotionsSizes | None = None,
    *,
    num_workers: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Make the data set at ``root`` unless a complete one is there.

    It is made in a temporary folder beside ``root`` and renamed when complete, under a lock, so a kill at
    any moment or a second process leaves no half data set. The same sizes give the same frames; ``sizes`` None
    accepts any complete one, and else makes ``DEFAULT_SIZES``.

    Raises:
        DataError: ``root`` is neither new, empty nor made by this function.
        DynsearchError: It can't be written there.
    """
    if _is_complete(root, sizes):
        return
    try:
        with held_lock(root.parent / f".{root.name}.lock"):
            if _is_complete(root, sizes):
                return
            _check_ours(root)
            for stale in root.parent.glob(f".{root.name}.making-*"):
                shutil.rmtree(stale, ignore_errors=True)
            making = Path(tempfile.mkdtemp(prefix=f".{root.name}.making-", dir=root.parent))
            try:
                making.chmod(0o755)
                _make(making, sizes or DEFAULT_SIZES, num_workers, progress)
                _replace(root, making)
            finally:
                shutil.rmtree(making, ignore_errors=True)
    except OSError as error:
        raise DynsearchError(
            f"can't make the motions data set: {error.strerror or error}",
            where=str(root),
            hint="Check free space (about 20 MB) and permissions, or set DYNSEARCH_HOME",
        ) from error


def _is_complete(root: Path, sizes: MotionsSizes | None) -> bool:
    if not (root / MARKER).is_file():
        return False
    found = read_json(root / MARKER, DataError)
    wanted = _marker(sizes) if sizes is not None else {"version": VERSION}
    return isinstance(found, dict) and all(found.get(key) == value for key, value in wanted.items())


def _marker(sizes: MotionsSizes) -> dict[str, int]:
    return {"version": VERSION, **dataclasses.asdict(sizes)}


def _check_ours(root: Path) -> None:
    if root.exists() and not (root / MARKER).is_file() and (not root.is_dir() or any(root.iterdir())):
        raise DataError(
            f"holds something that is not the motions data set (it has no {MARKER})",
            where=str(root),
            hint="Name a new or an empty folder",
        )


def _replace(root: Path, making: Path) -> None:
    if root.exists():
        old = making.parent / f".{root.name}.making-old"
        root.rename(old)
        making.rename(root)
        shutil.rmtree(old, ignore_errors=True)
    else:
        making.rename(root)


def _make(folder: Path, sizes: MotionsSizes, num_workers: int | None, progress: Progress | None) -> None:
    """Write all files into ``folder``, the marker last."""
    (folder / _VIDEO_FOLDER).mkdir()
    (folder / "labels").mkdir()
    counts = {"train": sizes.num_train, "validation": sizes.num_validation, "test": sizes.num_unlabelled}
    total = sum(counts.values())
    rng = np.random.default_rng(sizes.seed)
    ids = iter(rng.permutation(total) + 1)
    videos: list[_Video] = []
    for split, (name, count) in enumerate(counts.items()):
        entries = []
        for index, label in enumerate(rng.permutation(np.arange(count) % len(CLASSES))):
            video_id = str(next(ids))
            path = folder / _VIDEO_FOLDER / f"{video_id}.mp4"
            videos.append(_Video(path, int(label), sizes.side, (sizes.seed, split, index)))
            entries.append(_entry(video_id, int(label), labelled=name != "test"))
        _write_json(folder / "labels" / f"{name}.json", entries)
    labels = {motion.name: str(index) for index, motion in enumerate(CLASSES)}
    _write_json(folder / "labels" / "labels.json", labels)
    for position, made in map_watched(_make_video, videos, num_workers=num_workers, progress=progress):
        if isinstance(made, Lost):
            raise DynsearchError(
                "a process that made this video was killed or crashed",
                where=str(videos[position].path),
                hint="The machine may be out of memory; use fewer --workers",
            )
    _write_json(folder / MARKER, _marker(sizes))


def _entry(video_id: str, label: int, *, labelled: bool) -> dict[str, object]:
    if not labelled:
        return {"id": video_id}
    template = CLASSES[label].template
    placeholders = ["something"] if "[" in template else []
    return {
        "id": video_id,
        "label": CLASSES[label].name.lower(),
        "template": template,
        "placeholders": placeholders,
    }


def _make_video(video: _Video) -> None:
    rng = np.random.default_rng(video.seeds)
    num_frames = int(rng.integers(_FRAMES[0], _FRAMES[1] + 1))
    write_h264(video.path, render(CLASSES[video.label], num_frames, video.side, rng))


def _write_json(path: Path, content: object) -> None:
    write_text(path, json.dumps(content, indent=0))
