"""Named arrays in an ``.npz`` file: read without pickles, written whole."""

import os
import struct
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import ScoresError
from dynsearch.files import written_whole
from dynsearch.scores.foreign import kind_of


def read_arrays(path: str | os.PathLike[str], names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return those of the arrays ``names`` that the file holds; nothing in it is executed.

    Raises:
        ScoresError: The file is missing, damaged, or no ``.npz`` file.
    """
    where = os.fspath(path)
    try:
        with open(where, "rb") as file:
            start = file.read(6)
        other = kind_of(where, start)
        if other is not None:
            raise ScoresError(f"is {other[0]}", where=where, hint=other[1])
        with np.load(where, allow_pickle=False) as archive:
            _check_members(archive.zip, where)
            return {name: archive[name] for name in names if name in archive.files}
    except ScoresError:
        raise
    except FileNotFoundError as error:
        raise ScoresError("there is no such file", where=where) from error
    except ValueError as error:
        raise ScoresError(
            f"can't be read as exit scores: {error}",
            where=where,
            hint="Objects are never loaded: save names with dtype=str, and arrays of numbers as they are",
        ) from error
    except Exception as error:  # numpy lets zipfile, zlib, pickle, value and OS errors through
        raise ScoresError(
            f"can't be read as exit scores: {' '.join(str(error).split())[:200]}", where=where
        ) from error


def _check_members(archive: zipfile.ZipFile, where: str) -> None:
    """Refuse a file whose list of arrays is damaged, so that none can vanish unseen.

    Each array says its name in the list and where it lies; and they lie one after the other, without gaps.
    """
    file, end, gap = archive.fp, 0, 24  # bytes that may follow an array: its size and check sum
    for member in sorted(archive.infolist(), key=lambda member: member.header_offset):
        archive.open(member).close()  # compares the names
        if file is None or member.header_offset > end + gap:
            break
        file.seek(member.header_offset + 26)
        lengths = struct.unpack("<HH", file.read(4))
        end = member.header_offset + 30 + sum(lengths) + member.compress_size
    if archive.start_dir > end + gap:
        raise ScoresError("its list of arrays lacks one that is in it", where=where)


def write_arrays(
    path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]], *, compressed: bool
) -> None:
    """Write ``arrays`` to ``path``, whole or not at all; confidence as float32 where that loses nothing."""
    small = {name: _narrowed(array) if name == "confidence" else array for name, array in arrays.items()}
    write = np.savez_compressed if compressed else np.savez
    with written_whole(path) as temporary, temporary.open("wb") as file:
        write(file, **small)  # type: ignore[arg-type]  # numpy types the flag beside the arrays


def _narrowed(array: NDArray[Any]) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        narrow = array.astype(np.float32)
    return narrow if np.array_equal(narrow, array, equal_nan=True) else array
