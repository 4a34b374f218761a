"""Tables of text: CSV in the encodings and with the separators people use, and Parquet.

A cell is a text, as it was written: ``NA``, ``01``, ``1e5`` and ``None`` are names. Whoever knows a column to hold
numbers asks for its numbers.
"""

import contextlib
import csv
import io
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import InputError, named, shown
from dynsearch.files import read_text

PARQUET = ".parquet"
_GROUP_WORDS = ("group", "subject", "person", "actor", "speaker", "performer", "user", "source")
GROUP_COLUMNS = (*_GROUP_WORDS, *(f"{word}_id" for word in _GROUP_WORDS))
"""Names that a column of groups of videos may have, as ``plain_name`` has them."""
_SEPARATORS = ("\t", ",", ";", "|")
_LOOKED_AT = 100
_LONGEST = 10_000


@dataclass(frozen=True)
class Table:
    """Rows of cells, all as long as the longest of header and first row; a cell that is not there is empty.

    Attributes:
        path: The file.
        header: The names of the columns, as written; empty where the first row is none.
        rows: The cells, without blanks around them.
        lines: The line each row ends in; empty for Parquet.
        separator: Between cells; a blank stands for any number of blanks.
        error: What is raised.
    """

    path: str
    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    separator: str
    error: type[InputError]

    def place(self, *names: str) -> int | None:
        """Return the first column with one of these names, as written or else as ``plain_name`` has them."""
        headers = (self.header, [plain_name(cell) for cell in self.header])
        return next((header.index(name) for header in headers for name in names if name in header), None)

    def column(self, place: int) -> list[str]:
        """Return the cells of a column."""
        return [row[place] for row in self.rows]

    def at(self, row: int) -> str:
        """Return where a row is, for a message."""
        return f"row {row + 1}" + (f" (line {self.lines[row]})" if self.lines else "")

    def bad_cell(self, row: int, place: int, expected: str, hint: str | None = None) -> InputError:
        """Return the error for a cell that is not as expected."""
        cell = self.rows[row][place]
        problem = f"must be {expected}, got {shown(cell)}" if cell else "the cell is blank"
        return self.error(problem, where=f"{self.path}, {self.at(row)}, {self.header[place]}", hint=hint)

    def filled(self, place: int) -> NDArray[np.str_]:
        """Return the cells of a column in which none may be empty; the table's own kind of error where one is."""
        cells = self.column(place)
        if "" in cells:
            raise self.bad_cell(cells.index(""), place, "")
        return np.array(cells, dtype=str)

    def numbers(
        self, place: int, *, blank: float | None = None, hint: str | None = None
    ) -> NDArray[np.float64]:
        """Return the numbers of a column; ``true`` and ``false`` are 1 and 0, an empty cell is ``blank`` if given.

        Raises:
            InputError: A cell is no number, as the table's own kind of error.
        """
        cells = self.column(place)
        numbers = np.empty(len(cells))
        with contextlib.suppress(ValueError):  # Most columns hold nothing else, and numpy reads them fast.
            if "_" not in "".join(cells):
                return np.array(cells, dtype=np.float64)
        for row, cell in enumerate(cells):
            try:
                numbers[row] = blank if not cell and blank is not None else number_of(cell)
            except ValueError:
                hint = "Write decimals with a point" if re.fullmatch(r"-?\d+,\d+", cell) else hint
                raise self.bad_cell(row, place, "a number", hint) from None
        return numbers


def number_of(cell: str) -> float:
    """Return the number that a cell holds, ``true`` and ``false`` being 1 and 0; ValueError where it holds none."""
    if "_" in cell:
        raise ValueError
    return float({"true": "1", "false": "0"}.get(cell.lower(), cell))


def plain_name(text: str) -> str:
    """Return a column's name as it is compared: ``Video Name`` and ``video-name`` are ``video_name``."""
    return re.sub(r"[\s_-]+", "_", text.lstrip("# ").strip().lower())


def composed(text: str) -> str:
    """Return a name as names are compared: letters with their accents in one (NFC), however a disk spells them."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def unmatched_rows(where: str, names: Sequence[str], total: int) -> list[str]:
    """Return what is said of the names that are no video's, of ``total`` rows, if there are any."""
    if not names:
        return []
    first = ", ".join(map(named, names[:5]))
    return [f"{len(names)} of {total} rows of {where} match no video, first {first}"]


def read_table(
    path: str | os.PathLike[str],
    error: type[InputError],
    is_header: Callable[[Sequence[str]], object] = bool,
) -> Table:
    """Read a table with at least one row, as text, from a ``.parquet`` file or CSV.

    CSV is UTF-8, or UTF-16 with its mark, separated by tabs, commas, semicolons, bars or blanks. What begins with #
    and has another number of cells than the other rows is a comment. ``is_header`` tells by their plain names whether
    the first cells are a header; by default they are.

    Raises:
        InputError: The file can't be read, has no rows, rows longer than the first, or two columns of one name;
            raised as the subclass ``error``.
    """
    where = os.fspath(path)
    if not os.path.exists(path):
        raise error("there is no such file", where=where)
    is_parquet = Path(path).suffix.lower() == PARQUET
    found, separator = (_read_parquet(where, error), "") if is_parquet else _read_text(where, error)
    width = len(next((cells for _, cells in found if not "".join(cells[:1]).startswith("#")), found[0][1]))
    found = [(n, cells) for n, cells in found if len(cells) == width or not cells[0].startswith("#")]
    while width > 1 and not any(any(cells[width - 1 :]) for _, cells in found):
        width -= 1
    for number, cells in found:
        if any(cells[width:]):
            raise error(
                f"line {number}: {len(cells)} cells, but the first row has {width}",
                where=where,
                hint="Put cells that hold the separator in double quotes",
            )
    rows = [cells[:width] + [""] * (width - len(cells)) for _, cells in found]
    header = []
    if is_parquet or is_header([plain_name(cell) for cell in rows[0]]):
        header = [rows[0][0].lstrip("# "), *rows.pop(0)[1:]]
        repeated = [name for n, name in enumerate(header) if name and name in header[:n]]
        if repeated:
            raise error(f"has two columns {repeated[0]}", where=where)
        if not rows:
            raise error("has a header and no rows", where=where)
    lines = [] if is_parquet else [number for number, _ in found][-len(rows) :]
    return Table(where, header, rows, lines, separator, error)


def _read_text(where: str, error: type[InputError]) -> tuple[list[tuple[int, list[str]]], str]:
    """Return the rows that hold something, each with the number of its last line, and what separates cells."""
    text = read_text(where, error)
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise error(f"line {line} holds a NUL character", where=where, hint="Save the table as UTF-8")
    declared = re.match(r"sep=(.)\n", text)
    separator = declared[1] if declared else _separator(text)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True
    )
    found = []
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if separator == " ":
                cells = _with_blanks(cells)
            if any(cells):
                found.append((reader.line_num, cells))
    except csv.Error as problem:
        raise error(
            f"line {reader.line_num}: expected cells apart by {separator!r} ({problem})", where=where
        ) from problem
    if declared:
        del found[0]
    if not found:
        raise error("holds nothing", where=where)
    return found, separator


def _with_blanks(words: list[str]) -> list[str]:
    """Return the cells of words: what comes before the first file name belongs to it."""
    place = next((n for n, word in enumerate(words) if re.search(r"\.[A-Za-z][A-Za-z0-9]{1,4}$", word)), 0)
    return [" ".join(words[: place + 1]), *words[place + 1 :]]


def _separator(text: str) -> str:
    """Return what parts the first lines into as many cells each, or else what parts the first one at all."""
    lines = [line for line in text.split("\n", _LOOKED_AT)[:_LOOKED_AT] if line.strip()]
    lines = [line for line in lines if not line.startswith("#")] or lines or [""]

    def widths(separator: str) -> list[int]:
        found = [
            csv.reader([line.strip()[:_LONGEST]], delimiter=separator, skipinitialspace=True)
            for line in lines
        ]
        return [len(_with_blanks(next(cells)) if separator == " " else next(cells)) for cells in found]

    counts = {separator: widths(separator) for separator in (*_SEPARATORS, " ")}
    even = [separator for separator, found in counts.items() if found[0] > 1 and len(set(found)) == 1]
    some = [separator for separator in _SEPARATORS if counts[separator][0] > 1]
    return (even or some or [" "])[0]


def _read_parquet(where: str, error: type[InputError]) -> list[tuple[int, list[str]]]:
    """Return the names of the columns, and the rows."""
    try:
        from pyarrow import parquet

        table = parquet.read_table(where)
        columns = [[_as_text(value) for value in column.to_pylist()] for column in table.columns]
    except ImportError as problem:
        raise error(
            "reading Parquet needs pyarrow",
            where=where,
            hint="Install it (pip install 'dynsearch[parquet]'), or write a CSV",
        ) from problem
    except Exception as problem:  # pyarrow raises many kinds
        raise error(
            f"can't be read as a table: {' '.join(str(problem).split())[:200]}", where=where
        ) from problem
    header = [name.strip() for name in table.column_names]
    return list(enumerate([header, *map(list, zip(*columns, strict=True))]))


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return "" if value is None else str(value)
