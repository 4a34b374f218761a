"""Rows of plain values as text and as CSV."""

import csv
import os
from collections.abc import Mapping, Sequence
from typing import Any

from dynsearch.files import written_whole


def write_csv(
    rows: Sequence[Mapping[str, Any]], path: str | os.PathLike[str], columns: Sequence[str] = ()
) -> None:
    """Write rows with the same keys to ``path``, one line each, whole or not at all; without rows, ``columns``."""
    with written_whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(columns or rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def format_table(rows: Sequence[Mapping[str, str]]) -> str:
    """Return rows of texts with the same keys as aligned columns below a heading.

    Columns whose every value is a number are aligned to the right.
    """
    if not rows:
        return "(nothing)"
    keys = list(rows[0])
    widths = {key: max(len(key), *(len(row[key]) for row in rows)) for key in keys}
    numeric = {key: all(_is_number(row[key]) for row in rows) for key in keys}

    def line(cells: Mapping[str, str]) -> str:
        padded = (
            cells[key].rjust(widths[key]) if numeric[key] else cells[key].ljust(widths[key]) for key in keys
        )
        return "  ".join(padded).rstrip()

    return "\n".join([line({key: key for key in keys}), *map(line, rows)])


def _is_number(text: str) -> bool:
    try:
        float(text.rstrip("%"))
    except ValueError:
        return text == ""
    return True
