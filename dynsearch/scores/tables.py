"""Exit scores from a table: CSV or Parquet with a pair of columns for each exit.

``confidence_0, correct_0, confidence_1, correct_1, ...`` and, optionally, ``video_id`` and ``label``; one row
a video. Numbering may start at 0 or 1. Costs are no column: they are given beside the table.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import ScoresError
from dynsearch.measures import COUNTED, CostMeasure
from dynsearch.scores.exit_scores import ExitScores

if TYPE_CHECKING:
    import pandas

TABLE_SUFFIXES = (".csv", ".parquet")


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
    if not is_table(path):
        if cost is not None:
            raise ScoresError("carries its own costs, so give none beside it", where=os.fspath(path))
        return ExitScores.load(path, measure=measure)
    where = os.fspath(path)
    if cost is None:
        raise ScoresError(
            "a table has no costs", where=where, hint="Give the cumulative cost of the exits: --gmacs 4,8,13"
        )
    table = read_table(path)
    try:
        if _numbers(table, "correct") not in ([], _numbers(table, "confidence")):
            raise ScoresError("confidence_k and correct_k must be there for the same exits")
        return ExitScores(
            cost_E=np.asarray(cost, dtype=np.float64),
            measure=measure or COUNTED,
            confidence_EN=_columns(table, "confidence"),
            correct_EN=_columns(table, "correct") if _numbers(table, "correct") else None,
            labels_N=_labels(table) if "label" in table else None,
            video_ids_N=_names(table, "video_id") if "video_id" in table else None,
        )
    except ScoresError as error:
        inside = f"{where}, {error.where}" if error.where else where
        raise ScoresError(error.problem, where=inside, hint=error.hint) from error


def is_table(path: str | os.PathLike[str]) -> bool:
    """Return whether the file's suffix is that of a table."""
    return Path(path).suffix.lower() in TABLE_SUFFIXES


def read_table(path: str | os.PathLike[str]) -> pandas.DataFrame:
    """Return a CSV or Parquet table with at least one row; names of columns are stripped of blanks.

    Raises:
        ScoresError: The file can't be read, is empty, or has rows longer than its header.
    """
    import pandas

    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            if path.suffix.lower() == ".csv":
                # Without index_col, rows longer than the header would shift all columns.
                table = pandas.read_csv(path, index_col=False)
            else:
                table = pandas.read_parquet(path)
    except ImportError as error:
        raise ScoresError(
            "reading Parquet needs pyarrow",
            where=str(path),
            hint="Install it (pip install 'dynsearch[parquet]'), or write a CSV",
        ) from error
    except FileNotFoundError as error:
        raise ScoresError("there is no such file", where=str(path)) from error
    except pandas.errors.ParserWarning as error:
        raise ScoresError("some rows are longer than the first, the header", where=str(path)) from error
    except Exception as error:  # parsers raise many kinds
        raise ScoresError(
            f"can't be read as a table: {' '.join(str(error).split())}", where=str(path)
        ) from error
    table.columns = [str(name).strip() for name in table.columns]
    repeated = table.columns[table.columns.duplicated()]
    if len(repeated):
        raise ScoresError(f"has two columns {repeated[0]}", where=str(path))
    if table.empty:
        raise ScoresError("the split is empty: no rows", where=str(path))
    return table


def _names(table: pandas.DataFrame, column: str) -> NDArray[np.str_]:
    missing = np.flatnonzero(table[column].isna())
    if missing.size:
        raise ScoresError(f"is missing in row {missing[0] + 1}", where=column)
    return table[column].astype(str).to_numpy(dtype=str)


def _labels(table: pandas.DataFrame) -> NDArray[Any]:
    labels = table["label"].to_numpy()
    if labels.dtype.kind not in "iuf":
        raise ScoresError(
            "must be class numbers",
            where="label",
            hint="Give the column of class names another name, and show it with --by",
        )
    return labels


def _numbers(table: pandas.DataFrame, name: str) -> list[int]:
    return sorted(int(m.group(1)) for c in table if (m := re.fullmatch(rf"{name}_(0|[1-9][0-9]*)", str(c))))


def _columns(table: pandas.DataFrame, name: str) -> NDArray[Any]:
    """Return (exits, videos) of the columns ``name_0``, ``name_1`` and so on."""
    numbers = _numbers(table, name)
    if not numbers:
        raise ScoresError(f"has no column {name}_0", hint="Each exit k needs confidence_k and correct_k")
    missing = sorted(set(range(numbers[0], numbers[-1] + 1)) - set(numbers))
    if missing or numbers[0] > 1:
        raise ScoresError(f"has no column {name}_{missing[0] if missing else 0}")
    return np.stack([table[f"{name}_{number}"].to_numpy() for number in numbers])
