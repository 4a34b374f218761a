import json

import numpy as np
import pytest

from dynsearch.errors import InputError, PlanError, ScoresError
from dynsearch.frontier.placements import search_placements
from dynsearch.measures import COST_MEASURES
from dynsearch.plan import ExitPlacement
from dynsearch.scores import RectangleSteps, ScoreGrid, StepTable
from tests.scores.grids import as_table, random_grid, random_steps
from tests.scores.test_score_grid import settings_of

ONES = np.ones((3, 3))


@pytest.mark.parametrize(
    ("trunk", "head", "message"),
    [
        (np.ones((2, 3)), np.ones((2, 3)), "steps: is of 6 cells, but there are 9"),
        (ONES, -ONES, "head_gmacs: the cost of cell"),
        (0 * ONES, ONES, "trunk_gmacs: the cost of cell"),
        (np.nan * ONES, ONES, "trunk_gmacs: the cost of cell"),
        ([[3, 4, 5], [2, 4, 5], [3, 4, 6]], ONES, "further frame set, at cell"),
        ([[3, 2, 5], [3, 4, 5], [3, 4, 6]], ONES, "further depth stage, at cell"),
        (ONES, np.ones((2, 3)), "head_gmacs: must have the axes"),
    ],
)
def test_impossible_rectangles(trunk, head, message):
    with pytest.raises(ScoresError, match=message):
        random_grid(0, steps=RectangleSteps.of(trunk, head))


def changed(row, column, value):
    table = random_steps(np.random.default_rng(0), 3, 3).table.copy()
    table[row, column] = value
    return table


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.ones((9, 9)), r"steps: must have the shape \(10, 9\) for 3 x 3 cells, got \(9, 9\)"),
        (np.ones(9), "steps: must have the axes"),
        ([["a"]], "steps: must be an array of numbers"),
        (changed(1, 4, -0.5), "from cell 0 to cell 4 is -0.5; costs must be 0 or more"),
        (changed(0, 4, np.nan), "from nothing to cell 4 is nan; costs must be 0 or more"),
        (changed(0, 4, 0), "from nothing to cell 4 is 0; a first exit must cost something"),
        (changed(5, 4, 1), "from cell 4 to cell 4 is 1; a step back, or nowhere, must be infinite"),
        (changed(3, 4, 1), "from cell 2 to cell 4 is 1; a step back"),
    ],
)
def test_impossible_tables(table, message):
    with pytest.raises(ScoresError, match=message):
        random_grid(0, steps=StepTable(table))


def test_exit_scores_cost_the_steps_that_lead_there():
    steps = random_steps(np.random.default_rng(1), 3, 3)
    grid = random_grid(0, steps=steps, first_depth=2)
    scores = grid.exit_scores(ExitPlacement.of("1x2", "2x3", "3x4"))
    expected = [steps.table[0, 0], steps.table[1, 4], steps.table[5, 8]]
    assert scores.cost_E.tolist() == np.cumsum(expected).tolist()


def test_a_placement_with_a_step_that_has_no_cost():
    grid = random_grid(0, steps=StepTable(changed(1, 8, np.inf)))
    with pytest.raises(PlanError, match="exits: the score grid has no cost for the step to the exit 3x3"):
        grid.exit_scores(ExitPlacement.of("1x1", "3x3"))
    assert grid.exit_scores(ExitPlacement.of("1x1", "2x2", "3x3")).num_exits == 3


def written(folder, grid):
    writer = ScoreGrid.create(folder, **settings_of(grid))
    writer.write(grid.logits_SMNK)
    writer.finish()
    return ScoreGrid.load(folder)


def test_written_and_read(tmp_path):
    grid = random_grid(0, steps=random_steps(np.random.default_rng(1), 3, 3, share_closed=0.3))
    loaded = written(tmp_path / "grid", grid)
    assert np.array_equal(loaded.steps.table, grid.steps.table)
    header = json.loads((tmp_path / "grid" / "grid.json").read_text())
    assert header["steps"] == [10, 9]
    assert {"trunk_gmacs", "head_gmacs"} & header.keys() == set()


def test_other_steps_are_another_grid(tmp_path):
    grid = random_grid(0)
    table = as_table(grid)
    written(tmp_path / "grid", table)
    assert ScoreGrid.create(tmp_path / "grid", **settings_of(table)).num_done == 24
    assert ScoreGrid.create(tmp_path / "grid", **settings_of(grid)).num_done == 0
    other = random_grid(0, steps=StepTable(table.steps.table * 2))
    assert ScoreGrid.create(tmp_path / "grid", **settings_of(other)).num_done == 0


def test_steps_of_neither_kind_are_used_but_not_written(tmp_path):
    class Own:
        num_cells = 9
        allowed = np.ones((10, 9), dtype=bool)

    with pytest.raises(ScoresError, match="Own is neither RectangleSteps nor a StepTable"):
        ScoreGrid.create(tmp_path / "grid", **settings_of(random_grid(0, steps=Own())))


@pytest.mark.reliability(
    "Files", "a score grid's table of steps that is missing, damaged or of another grid", happens="is refused"
)
def test_damaged_tables(tmp_path):
    folder = tmp_path / "grid"
    written(folder, as_table(random_grid(0)))
    path = folder / "steps.npy"
    good = np.load(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ScoresError, match="steps.npy: can't be read as an array"):
        ScoreGrid.load(folder)
    for bad, message in [
        (good[:-1], r"steps.npy: has shape \(9, 9\), but grid.json says \[10, 9\]"),
        (-good, "grid, steps: the cost from nothing to cell 0"),
        (good.astype(str), "grid, steps: must be an array of numbers"),
    ]:
        np.save(path, bad)
        with pytest.raises(ScoresError, match=message):
            ScoreGrid.load(folder)
    path.unlink()
    with pytest.raises(ScoresError, match="steps.npy: there is no such file"):
        ScoreGrid.load(folder)


def test_steps_carry_their_measure(tmp_path):
    """Into files, exit scores and points; points in two measures are never mixed."""
    table = random_steps(np.random.default_rng(1), 3, 3).table
    grid = random_grid(0, steps=StepTable(table, COST_MEASURES["ms"]))
    loaded = written(tmp_path / "grid", grid)
    assert loaded.steps.measure.name == "ms"
    assert json.loads((tmp_path / "grid" / "grid.json").read_text())["measure"] == "ms"
    placement = ExitPlacement.of("1x1", "3x3")
    assert (
        loaded.exit_scores(placement).measure
        == loaded.reduced_scores(placement).measure
        == loaded.steps.measure
    )
    found = search_placements(loaded, max_exits=3)
    assert found.curve.measure.name == "ms"
    assert {"ms", "expected_ms"} <= found[0].to_dict().keys()
    with pytest.raises(InputError, match="ms"):
        found[0].chosen.evaluate(random_grid(0).exit_scores(found[0].placement))
    counted = written(tmp_path / "counted", random_grid(0, steps=StepTable(table)))
    assert counted.steps.measure.name == "gflops"
    assert "measure" not in json.loads((tmp_path / "counted" / "grid.json").read_text())
