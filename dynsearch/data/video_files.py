"""Checks of a video path before any decoder sees it: a regular file that starts like a video."""

import os
import re
import stat
from pathlib import Path

from dynsearch.errors import VideoError, named

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+:")
_REPLACE = "Replace the file or take it out of the annotation files"
_CONTAINERS = "MP4/MOV, WebM/Matroska, AVI, MPEG-TS/PS, FLV or Ogg"

_DISGUISES = (
    (b"version https://git-lfs", "is a git-lfs pointer, not the video itself", "Run `git lfs pull`"),
    (b"#EXTM3U", "is a playlist, not a video", _REPLACE),
    (b"ffconcat", "is a list of other files, not a video", _REPLACE),
    (b"<!doctype html", "is a web page, not a video", "Download it again: the page says what went wrong"),
    (b"<html", "is a web page, not a video", "Download it again: the page says what went wrong"),
    (b"\x89PNG", "is a picture, not a video", _REPLACE),
    (b"GIF8", "is a GIF picture, not a video", f"Convert it to {_CONTAINERS}"),
    (b"\xff\xd8\xff", "is a JPEG picture, not a video", _REPLACE),
)
"""First bytes of what is often found under a video's name, what it is, and what to do."""


def checked_path(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of a video file.

    An absolute path has no scheme, so no decoder takes it for an address or a protocol.

    Raises:
        VideoError: The path is an address, or does not exist, or is no regular file, is empty, can't be
            opened, or does not start like one of the containers we read.
    """
    text = os.fspath(path)
    where = str(text)
    try:
        status = os.stat(text)
    except (OSError, ValueError) as error:
        if _SCHEME.match(where):
            raise VideoError("is an address, not a file", where=where, hint="Give a local file") from error
        reason = "does not exist" if isinstance(error, FileNotFoundError) else f"can't be opened: {error}"
        raise VideoError(reason, where=where, hint="Check the path and the data root") from error
    if not stat.S_ISREG(status.st_mode):
        raise VideoError("is not a regular file", where=where, hint="Give a video file")
    if status.st_size == 0:
        raise VideoError("is empty (0 bytes)", where=where, hint=_REPLACE)
    try:
        with open(text, "rb") as file:
            head = file.read(512)
    except OSError as error:
        raise VideoError(
            f"can't be opened: {error.strerror}", where=where, hint="Check its permissions"
        ) from error
    if not starts_like_video(head):
        raise _not_a_video(head, where)
    return Path(text).absolute()


def _not_a_video(head: bytes, where: str) -> VideoError:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for first, what, hint in _DISGUISES:
        if start[: len(first)].lower() == first.lower():
            return VideoError(f"{what}: it starts with {head[:24]!r}", where=where, hint=hint)
    target = os.fsdecode(head).strip()
    if "/" in target and "\0" not in target and os.path.exists(os.path.join(os.path.dirname(where), target)):
        return VideoError(
            f"is a link that was copied as text: {named(target)}",
            where=where,
            hint="Copy it again by what keeps links, for instance `cp -a` or tar",
        )
    return VideoError(
        f"is not a video that we read ({_CONTAINERS}): it starts with {head[:24]!r}",
        where=where,
        hint=_REPLACE,
    )


def starts_like_video(head: bytes) -> bool:
    """Tell whether the first bytes belong to MP4/MOV, WebM/Matroska, AVI, MPEG-TS/PS, FLV or Ogg."""
    return (
        head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp")
        or head.startswith((b"\x1aE\xdf\xa3", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"FLV\x01", b"OggS"))
        or (head.startswith(b"RIFF") and head[8:11] == b"AVI")
        or (head[:1] == b"G" and head[188:189] == b"G")
        or (head[4:5] == b"G" and head[196:197] == b"G")
    )
