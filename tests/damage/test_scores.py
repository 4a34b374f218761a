"""Exit scores as .npz and as tables, changed at every byte and cell."""

import csv
import io
import math

import numpy as np
import pytest

from dynsearch.frontier import solve_thresholds
from dynsearch.scores import ExitScores
from dynsearch.scores.tables import load_scores
from tests.mutations import NUMBER, VALUES, changed_bytes, refused_or_right

NOTHING = {"", "nan", "null", "na", "n/a", "#na", "none", "<na>", "#n/a", "-nan", "1.#ind", "1.#qnan"}


def scores(kind):
    rng = np.random.default_rng(0)
    common = {
        "cost_E": [1.0, 2.0, 4.0], "plan_id": "p", "split": "calibration", "video_ids_N": [f"v{i}" for i in range(9)],
    }  # fmt: skip
    if kind == "logits":
        return ExitScores(logits_ENK=rng.normal(size=(3, 9, 4)), labels_N=np.arange(9) % 4, **common)
    return ExitScores(confidence_EN=rng.random((3, 9)), correct_EN=rng.random((3, 9)) < 0.5, **common)


@pytest.mark.reliability(
    "Files",
    "exit scores (`.npz`) changed at any byte",
    happens="are refused in one line, or are all that was saved: nothing in them can change unseen",
    sees="`can't be read as exit scores: ...`",
)
@pytest.mark.parametrize("kind", ["logits", "confidence"])
def test_bytes_of_npz_files(tmp_path, kind):
    path = tmp_path / "s.npz"
    whole = scores(kind)
    whole.save(path)

    def check(found, content):
        for name in ("cost_E", "logits_ENK", "labels_N", "confidence_EN", "correct_EN", "video_ids_N"):
            np.testing.assert_array_equal(getattr(found, name), getattr(whole, name), strict=True)
        assert (found.plan_id, found.split) == (whole.plan_id, whole.split)

    refused_or_right(changed_bytes(path.read_bytes(), 11), path, ExitScores.load, check)


def table(rng):
    """Return the cells of a table of scores, with a header."""
    cells = [["video_id", "label", "confidence_0", "correct_0", "confidence_1", "correct_1"]]
    for n in range(8):
        cells.append(
            [f"v{n}", str(n % 3), f"{rng.random():.4f}", str(n % 2), f"{rng.random():.4f}", str(n % 2 == 0)]
        )
    return cells


def changed_tables():
    """Yield tables with a cell, row or column changed, and tables changed at their bytes."""
    rng = np.random.default_rng(0)
    numbers = [
        *map(str, VALUES),
        "1,5",
        "0,5",
        "1e5",
        "-1",
        "2",
        "TRUE",
        "yes",
        "0x1",
        "1_0",
        "½",
        "١",
        "inf",
    ]
    for turn in range(NUMBER - NUMBER // 3):
        cells = table(rng)
        row, column = divmod(turn, 6)
        row %= len(cells)
        kind = rng.choice(["cell", "cell", "row out", "row twice", "column out", "header", "short", "long"])
        if kind == "cell":
            cells[row][column] = str(rng.choice(numbers))[:200]
        elif kind == "row out":
            del cells[row]
        elif kind == "row twice":
            cells.insert(row, cells[row])
        elif kind == "column out":
            cells = [line[:column] + line[column + 1 :] for line in cells]
        elif kind == "header":
            cells[0][column] = str(
                rng.choice(["confidence_2", "correct_0", "x", "", "label ", "confidence_01"])
            )
        elif kind == "short":
            cells[row] = cells[row][:column]
        else:
            cells[row] = [*cells[row], "9"]
        text = io.StringIO()
        csv.writer(text).writerows(cells)
        yield text.getvalue().encode()
    yield from changed_bytes("\n".join(map(",".join, table(rng))).encode(), 13, NUMBER // 3)


def check_table(found, content):
    """Read the same table by Python's csv module, cell by cell."""
    rows = [row for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=None)) if row]
    header = [name.strip() for name in rows[0]]
    assert len(rows) - 1 == found.num_videos
    assert all(len(row) <= len(header) for row in rows)
    for n, row in enumerate(rows[1:]):
        cells = dict(zip(header, row + [""] * (len(header) - len(row)), strict=True))
        for exit_index in range(2):
            first = 0 if "confidence_0" in cells else 1
            text = cells[f"confidence_{exit_index + first}"].strip()
            value = math.nan if text.lower() in NOTHING else number(text)
            np.testing.assert_allclose(found.confidence_EN[exit_index, n], value, rtol=1e-12)
            if found.correct_EN is not None:
                assert found.correct_EN[exit_index, n] == number(cells[f"correct_{exit_index + first}"])
        if found.labels_N is not None:
            assert found.labels_N[n] == number(cells["label"])


def number(text):
    truth = {"true": 1.0, "false": 0.0}
    return truth[text.strip().lower()] if text.strip().lower() in truth else float(text)


@pytest.mark.reliability(
    "Files",
    "a table of scores (`.csv`) changed at any cell, row, column or byte",
    happens="is refused with file and column, or holds what it says",
    sees="`... cells, but the first row has ...`, `must be an array of numbers`",
)
def test_tables(tmp_path):
    accepted = refused_or_right(
        changed_tables(), tmp_path / "s.csv", lambda path: load_scores(path, [1.0, 2.0]), check_table
    )
    assert 0 < accepted < 0.8


@pytest.mark.parametrize("kind", ["logits", "confidence"])
def test_the_files_are_good_before(tmp_path, kind):
    scores(kind).save(tmp_path / "s.npz")
    assert len(solve_thresholds(ExitScores.load(tmp_path / "s.npz"))) >= 1
