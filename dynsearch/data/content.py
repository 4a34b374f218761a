"""What tells the content of video files apart: their size and some of their bytes, read once for each file."""

import contextlib
import hashlib
import json
import os
import stat
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dynsearch.data.home import home
from dynsearch.errors import DynsearchError
from dynsearch.files import read_json, write_text

_BLOCK, _BLOCKS = 2**15, 4  # bytes and number of what is read of a file; shorter ones are read whole
_FRAMES = 8  # files that are read of a folder of frames
_THREADS = 16
_SETTLED_NS = 2 * 10**9  # a file that changed later than this before it was read may change unseen


def content_digests(paths: Sequence[Path]) -> list[str]:
    """Return what tells the content of each file or folder of frames apart: not its place, nor its time of change.

    What was found is kept below the data home, so that only new and touched files are read.
    """
    shared = os.path.commonpath([path.absolute().parent for path in paths]) if paths else ""
    kept = home() / "contents" / f"{hashlib.blake2b(os.fsencode(shared), digest_size=6).hexdigest()}.json"
    known: dict[str, list[object]] = {}
    with contextlib.suppress(DynsearchError, TypeError, ValueError):
        known = dict(read_json(kept))
    now = time.time_ns()
    found: dict[str, list[object]] = {}

    def digest(path: Path) -> str:
        try:
            status = os.stat(path)
            if stat.S_ISDIR(status.st_mode):
                return _of_folder(path)
            if not stat.S_ISREG(status.st_mode):
                return "no file"
            # The time of change of the file's entry: unlike that of its content, no program sets it back.
            state: list[object] = [status.st_size, status.st_ino, status.st_ctime_ns]
            *before, seen = known.get(str(path), [""])
            if before == state:
                return str(seen)
            seen = _of_file(path, status.st_size)
            if now - status.st_ctime_ns > _SETTLED_NS:
                found[str(path)] = [*state, seen]
            return seen
        except OSError as error:
            return f"no file: {error.strerror}"

    with ThreadPoolExecutor(_THREADS) as threads:
        digests = list(threads.map(digest, paths))
    if found:
        with contextlib.suppress(DynsearchError, UnicodeError):  # Then they are read again the next time.
            write_text(kept, json.dumps(known | found))
    return digests


def _of_file(path: Path, size: int) -> str:
    digest = hashlib.blake2b(str(size).encode(), digest_size=8)
    with path.open("rb") as file:
        if size <= _BLOCK * _BLOCKS:
            digest.update(file.read())
        else:
            for block in range(_BLOCKS):
                file.seek((size - _BLOCK) * block // (_BLOCKS - 1))
                digest.update(file.read(_BLOCK))
    return digest.hexdigest()


def _of_folder(path: Path) -> str:
    names = sorted(os.listdir(path))
    digest = hashlib.blake2b("\0".join(names).encode(errors="surrogateescape"), digest_size=8)
    for name in names[:: -(-len(names) // _FRAMES) or 1]:
        file = path / name
        if file.is_file():
            digest.update(_of_file(file, file.stat().st_size).encode())
    return digest.hexdigest()
