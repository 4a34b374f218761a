"""The header of a score grid, changed at every field and byte."""

import itertools
import json

import numpy as np
import pytest

from dynsearch.scores import ScoreGrid
from tests.mutations import NUMBER, changed_bytes, changed_documents, refused_or_right
from tests.scores.grids import as_table, random_grid
from tests.scores.test_score_grid import settings_of


@pytest.mark.reliability(
    "Files",
    "a score grid's header changed at any field or byte",
    happens="is refused, or says what its file says; a study that needs the grid computes it anew",
    sees="`lacks ...`, `is ... of shape ..., but grid.json says ...`",
)
@pytest.mark.parametrize("kind", [lambda grid: grid, as_table], ids=["rectangles", "steps"])
def test_headers(tmp_path, kind):
    grid = kind(random_grid(0))
    folder, settings = tmp_path / "grid", settings_of(grid)
    writer = ScoreGrid.create(folder, **settings)
    writer.write(grid.logits_SMNK)
    writer.finish()
    path = folder / "grid.json"
    document = json.loads(path.read_text())

    def check(found, content):
        given = json.loads(content.decode("utf-8-sig"))
        assert (found.split, found.order, found.first_depth) == tuple(
            given[name] for name in ("split", "order", "first_depth")
        )
        if "steps" in given:
            assert np.array_equal(found.steps.table, grid.steps.table)
        else:
            np.testing.assert_array_equal(found.steps.trunk_C, np.ravel(given["trunk_gmacs"]))
            np.testing.assert_array_equal(found.steps.head_C, np.ravel(given["head_gmacs"]))
        assert list(found.logits_SMNK.shape) == given["shape"]
        started = ScoreGrid.create(tmp_path / "grid", **settings).num_done
        assert started == (grid.num_videos if given == document else 0)

    contents = itertools.chain(
        (json.dumps(each, default=str).encode("utf-8", "surrogatepass")
         for each in changed_documents(document, 51, NUMBER)),
        changed_bytes(path.read_bytes(), 52, NUMBER // 3),
    )  # fmt: skip
    refused_or_right(contents, path, lambda path: ScoreGrid.load(folder), check)


@pytest.mark.reliability(
    "Files",
    "a score grid's table of steps changed at any byte",
    happens="is refused, or is another table that keeps all rules",
)
def test_tables(tmp_path):
    grid = as_table(random_grid(0))
    folder = tmp_path / "grid"
    writer = ScoreGrid.create(folder, **settings_of(grid))
    writer.write(grid.logits_SMNK)
    writer.finish()
    path = folder / "steps.npy"

    def check(found, content):
        table = found.steps.table
        assert table.shape == (10, 9)
        assert (table >= 0).all()
        assert (table[0] > 0).all()
        assert not np.isfinite(table[1:][np.tril_indices(9)]).any()

    contents = changed_bytes(path.read_bytes(), 53, NUMBER)
    refused_or_right(contents, path, lambda path: ScoreGrid.load(folder), check)
