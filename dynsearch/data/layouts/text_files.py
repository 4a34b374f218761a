"""Annotation files as text: found by one of their names, read line by line, with errors that name the line."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from dynsearch.errors import DataError, shown
from dynsearch.files import read_text

ANNOTATION_FOLDERS = ("", "annotations", "labels")
"""Where annotation files may lie under the data root."""


def find_files(root: Path, wanted: Mapping[str, Sequence[str]], *, videos: str = "") -> dict[str, Path]:
    """Return the first existing file of each part's possible names, relative paths in order of preference.

    ``videos`` is the folder of the videos, where it has to have this name.

    Raises:
        DataError: Parts are missing; one message lists them all.
    """
    found: dict[str, Path] = {}
    missing: list[str] = []
    for part, names in wanted.items():
        existing = [root / name for name in names if (root / name).is_file()]
        if existing:
            found[part] = existing[0]
        else:
            missing.append(" or ".join(names))
    if not (root / videos).is_dir() and videos:
        missing.append(f"{videos}/ with the videos")
    if missing:
        raise DataError(f"the data set is not complete there, missing: {'; '.join(missing)}", where=str(root))
    return found


def in_folders(*names: str, folders: Sequence[str] = ANNOTATION_FOLDERS) -> list[str]:
    """Return each name in each of the folders that annotation files may lie in."""
    return [f"{folder}/{name}" if folder else name for folder in folders for name in names]


def read_lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines that hold something, stripped, each with its number from 1.

    Raises:
        DataError: The file can't be read, is not UTF-8, or holds nothing.
    """
    text = read_text(path, DataError)
    lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), start=1)]
    lines = [(number, line) for number, line in lines if line]
    if not lines:
        raise DataError("holds nothing", where=str(path))
    return lines


def bad_line(path: Path, number: int, expected: str, got: str) -> DataError:
    """Return the error for a line that is not as expected."""
    return DataError(f"line {number}: expected {expected}, got {shown(got)}", where=str(path))


def frames_and_labels(
    path: Path, number: int, line: str, num_classes: int, name: str
) -> tuple[str, list[int]]:
    """Return the video and the labels of a line ``NAME FRAMES LABEL [LABEL ...]``.

    Raises:
        DataError: It is not of this form, or a label is not below ``num_classes``.
    """
    video_id, *numbers = line.split()
    labels = numbers[1:]
    if not labels or not all(
        word.isdecimal() and len(word) < 10 and int(word) < num_classes for word in labels
    ):
        raise bad_line(path, number, f"`{name} FRAMES LABEL` with labels below {num_classes}", line)
    return video_id, [int(label) for label in labels]


def check_labels(unknown: Iterable[str], path: Path, listed_in: str) -> None:
    """Raise DataError if there are unknown classes, of which it names ten."""
    names = list(dict.fromkeys(unknown))
    if names:
        first = ", ".join(shown(name) for name in names[:10])
        raise DataError(
            f"{len(names)} classes are not in {listed_in}, first {first}",
            where=str(path),
            hint=f"Take {path.name} and {listed_in} from the same release",
        )
