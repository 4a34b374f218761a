"""A fingerprint of a video's bytes, by which copies under other names are found."""

from __future__ import annotations

import hashlib
from pathlib import Path


def video_digest(path: Path) -> str:
    """Return the digest of a video file, or of all files of a folder of frames in order.

    Raises:
        OSError: A file can't be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    for name in files:
        with name.open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()
