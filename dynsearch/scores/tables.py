"""Exit scores from a table: CSV or Parquet with a pair of columns for each exit.

``confidence_0, correct_0, confidence_1, correct_1, ...`` and, optionally, ``video_id``, ``label`` and ``group``
(``person``, ...); one row a video. Numbering may start at 0 or 1. Costs are no column: they are given beside the table.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import ScoresError, within
from dynsearch.measures import COUNTED, CostMeasure
from dynsearch.scores.exit_scores import ExitScores
from dynsearch.scores.validation import EVERY_EXIT, stopped_at
from dynsearch.tables import GROUP_COLUMNS, PARQUET, Table, plain_name, read_table

TABLE_SUFFIXES = (".csv", PARQUET)


def load_scores(
    path: str | os.PathLike[str], cost: Sequence[float] | None = None, measure: CostMeasure | None = None
) -> ExitScores:
    """Read exit scores from ``.npz``, ``.csv`` or ``.parquet``, by the file's suffix.

    Args:
        path: The file.
        cost: Cumulative cost per video of each exit; needed for tables, refused for ``.npz``.
        measure: What costs are in, where the file does not say; None means that they are counted.

    Raises:
        ScoresError: The file can't be read, lacks a column, or breaks a rule of exit scores.
    """
    where = os.fspath(path)
    if not is_table(path):
        if cost is not None:
            raise ScoresError("carries its own costs, so give none beside it", where=where)
        return ExitScores.load(path, measure=measure)
    if cost is None:
        raise ScoresError(
            "a table has no costs", where=where, hint="Give the cumulative cost of the exits: --gmacs 4,8,13"
        )
    table = read_table(path, ScoresError)
    confidence, correct = _places(table, "confidence"), _places(table, "correct")
    if correct and correct.keys() != confidence.keys():
        raise ScoresError("confidence_k and correct_k must be there for the same exits", where=where)
    label, video_id, group = table.place("label"), table.place("video_id"), table.place(*GROUP_COLUMNS)
    confidence_EN = np.stack([table.numbers(place, blank=np.nan) for place in confidence.values()])
    if gap := stopped_at(confidence_EN):
        raise table.bad_cell(gap[1], list(confidence.values())[gap[0]], "a number", EVERY_EXIT)
    arrays: dict[str, Any] = {
        "confidence_EN": confidence_EN,
        "correct_EN": np.stack([_correct(table, place) for place in correct.values()]) if correct else None,
        "labels_N": None if label is None else class_numbers(table, label),
        "video_ids_N": None if video_id is None else table.filled(video_id),
        "groups_N": None if group is None else table.column(group),
    }
    with within(where):
        return ExitScores(cost_E=np.asarray(cost, dtype=np.float64), measure=measure or COUNTED, **arrays)


def is_table(path: str | os.PathLike[str]) -> bool:
    """Return whether the file's suffix is that of a table."""
    return Path(path).suffix.lower() in TABLE_SUFFIXES


def _places(table: Table, name: str) -> dict[int, int]:
    """Return exit -> place of the columns ``name_0`` (or ``name_1``) and so on; those of ``correct`` may be missing."""
    found = {}
    for place, column in enumerate(table.header):
        if match := re.fullmatch(rf"{name}_(0|[1-9][0-9]{{0,5}})", plain_name(column)):
            found[int(match[1])] = place
    exits = range(1 if 1 in found and 0 not in found else 0, max(found, default=0) + 1)
    missing = [number for number in exits if number not in found]
    if missing and (found or name == "confidence"):
        raise ScoresError(
            f"has no column {name}_{missing[0]}, but {', '.join(table.header[:12])}",
            where=table.path,
            hint="Each exit k needs confidence_k and correct_k",
        )
    return {number: found[number] for number in exits if found}


def _correct(table: Table, place: int) -> NDArray[np.bool_]:
    numbers = table.numbers(place, hint=EVERY_EXIT)
    odd = ~np.isin(numbers, (0, 1))
    if odd.any():
        raise table.bad_cell(int(odd.argmax()), place, "1 or 0 (true or false)", EVERY_EXIT)
    return numbers.astype(bool)


def class_numbers(table: Table, place: int, *, blank: bool = False) -> NDArray[np.int64]:
    """Return the class numbers in a column, -1 for ``blank`` cells if these may be; ScoresError where one has none."""
    cells = table.column(place)
    for row, cell in enumerate(cells):
        if not re.fullmatch(r"-?[0-9]{1,18}(\.0*)?", cell) and (cell or not blank):
            raise table.bad_cell(
                row,
                place,
                "a class number",
                "Give the column of class names another name, and show it with --by",
            )
    return np.array([int(cell.partition(".")[0] or -1) for cell in cells], dtype=np.int64)
