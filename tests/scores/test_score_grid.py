import json

import numpy as np
import pytest

from dynsearch.errors import PlanError, ScoresError
from dynsearch.families import cost_table
from dynsearch.plan import ExitPlacement
from dynsearch.scores import RectangleSteps, ScoreGrid, confidence_from_logits
from dynsearch.scores.grid_files import grid_bytes
from tests.plans import small_plan
from tests.scores.grids import random_grid


def settings_of(grid, **changes):
    return {
        "num_classes": grid.logits_SMNK.shape[3],
        "labels_N": grid.labels_N,
        "steps": grid.steps,
        "num_sets": grid.num_sets,
        "num_depths": grid.num_depths,
        "first_depth": grid.first_depth,
        "video_ids_N": [f"video {n}" for n in range(grid.num_videos)],
        "split": "calibration",
        "order": "paper",
        "dtype": "float32",
    } | changes


def test_exit_scores_are_those_of_the_cells():
    grid = random_grid(0, first_depth=2, video_ids_N=np.array([f"v{n}" for n in range(24)]))
    placement = ExitPlacement.of("1x2", "2x2", "3x4")
    scores = grid.exit_scores(placement, plan_id="p")
    cells = [(0, 0), (1, 0), (2, 2)]
    for k, cell in enumerate(cells):
        assert np.array_equal(scores.logits_ENK[k], grid.logits_SMNK[cell])
    trunk_SM, head_SM = (np.reshape(costs, (3, 3)) for costs in (grid.steps.trunk_C, grid.steps.head_C))
    heads_E = np.cumsum([head_SM[cell] for cell in cells])
    assert scores.cost_E == pytest.approx([trunk_SM[cell] for cell in cells] + heads_E)
    assert (scores.plan_id, scores.split, list(scores.video_ids_N[:2])) == ("p", "calibration", ["v0", "v1"])
    reduced = grid.reduced_scores(placement, "margin", plan_id="p")
    assert np.array_equal(reduced.confidence(), scores.confidence("margin"))
    assert np.array_equal(reduced.correct(), scores.correct())
    assert np.array_equal(reduced.cost_E, scores.cost_E)


@pytest.mark.parametrize(
    "exits", [("1x1",), ("1x2", "2x3", "4x5"), ("1x1", "1x2", "2x2", "3x4", "4x5"), ("2x2", "2x5", "4x5")]
)
def test_costs_agree_with_the_cost_table_to_the_last_bit(exits):
    plan = small_plan(*exits)
    table = cost_table(small_plan("1x1", "1x2", "1x3", "1x4", "1x5"), 7)
    sets = range(1, plan.num_sets + 1)
    trunk = [[table.cell_macs(s, d) / 1e9 for d in range(1, 6)] for s in sets]
    heads = [[head.macs / 1e9 for head in table.heads] for _ in sets]
    logits = np.zeros((len(sets), 5, 2, 7), dtype=np.float32)
    grid = ScoreGrid(logits_SMNK=logits, labels_N=[0, 1], steps=RectangleSteps.of(trunk, heads))
    assert tuple(grid.cost_E(plan.exits)) == cost_table(plan, 7).cost_E


@pytest.mark.parametrize("measure", ["max-softmax", "margin"])
def test_confidence_and_correct_of_all_cells(measure):
    grid = random_grid(1)
    assert np.array_equal(grid.confidence(measure), confidence_from_logits(measure, grid.logits_SMNK))
    assert np.array_equal(grid.correct(), grid.logits_SMNK.argmax(-1) == grid.labels_N)


def test_several_labels_a_video():
    grid = random_grid(1)
    labels = np.zeros((24, 4), dtype=int)
    labels[:, :2] = 1
    several = random_grid(1, labels_N=labels)
    assert np.array_equal(several.correct(), grid.logits_SMNK.argmax(-1) < 2)


def test_a_cell_outside_the_grid():
    grid = random_grid(0, first_depth=2)
    for text in ("1x1", "4x2", "1x5"):
        with pytest.raises(PlanError, match=f"{text} lies outside the score grid, which has 1x2 to 3x4"):
            grid.exit_scores(ExitPlacement.of(text))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_written_in_chunks_and_mapped(tmp_path, dtype):
    grid = random_grid(0)
    writer = ScoreGrid.create(tmp_path / "grid", **settings_of(grid, dtype=dtype))
    assert writer.num_bytes == grid_bytes(3, 3, 24, 4, dtype) == 864 * np.dtype(dtype).itemsize
    for start in range(0, 24, 7):
        assert writer.num_done == start
        writer.write(grid.logits_SMNK[:, :, start : start + 7])
    writer.finish()
    loaded = ScoreGrid.load(tmp_path / "grid")
    assert isinstance(loaded.logits_SMNK.base, np.memmap)
    assert np.array_equal(loaded.logits_SMNK, grid.logits_SMNK.astype(dtype))
    for name in ("labels_N", "first_depth", "split", "order"):
        assert np.array_equal(getattr(loaded, name), getattr(grid, name))
    for name in ("trunk_C", "head_C"):
        assert np.array_equal(getattr(loaded.steps, name), getattr(grid.steps, name))
    assert loaded.video_ids_N[3] == "video 3"
    assert {path.name for path in tmp_path.rglob("*")} == {
        "grid", "grid.json", "logits.npy", "labels.npy", "video_ids.npy",
    }  # fmt: skip


@pytest.mark.reliability("Files", "an interrupted score grid", happens="goes on where it ended")
def test_an_interrupted_grid_goes_on_where_it_ended(tmp_path):
    grid = random_grid(0)
    ScoreGrid.create(tmp_path / "grid", **settings_of(grid)).write(grid.logits_SMNK[:, :, :10])
    with pytest.raises(ScoresError, match="not finished: 10 videos"):
        ScoreGrid.load(tmp_path / "grid")
    writer = ScoreGrid.create(tmp_path / "grid", **settings_of(grid))
    assert writer.num_done == 10
    with pytest.raises(ScoresError, match="10 of 24 videos are written"):
        writer.finish()
    writer.write(grid.logits_SMNK[:, :, 10:])
    # Killed just before the folder got its name: nothing is lost.
    writer = ScoreGrid.create(tmp_path / "grid", **settings_of(grid))
    assert writer.num_done == 24
    writer.finish()
    assert np.array_equal(ScoreGrid.load(tmp_path / "grid").logits_SMNK, grid.logits_SMNK)
    again = ScoreGrid.create(tmp_path / "grid", **settings_of(grid))
    assert again.num_done == 24
    again.finish()
    assert ScoreGrid.load(tmp_path / "grid").num_videos == 24


@pytest.mark.parametrize(
    "change",
    [{"source": "other"}, {"order": "strided"}, {"labels_N": np.zeros(24, int)}, {"video_ids_N": None}],
)
def test_another_grid_starts_anew_and_replaces_the_old_one_when_finished(tmp_path, change):
    grid = random_grid(0)
    writer = ScoreGrid.create(tmp_path / "grid", **settings_of(grid))
    writer.write(grid.logits_SMNK)
    writer.finish()
    other = ScoreGrid.create(tmp_path / "grid", **settings_of(grid, **change))
    assert other.num_done == 0
    assert np.array_equal(ScoreGrid.load(tmp_path / "grid").logits_SMNK, grid.logits_SMNK)
    other.write(-grid.logits_SMNK)
    other.finish()
    assert np.array_equal(ScoreGrid.load(tmp_path / "grid").logits_SMNK, -grid.logits_SMNK)


@pytest.mark.reliability(
    "Files",
    "a disk without room for a score grid",
    happens="is refused before a byte is written",
    sees="`the disk has ... left`",
)
def test_a_grid_that_is_too_large_is_refused_before_a_byte_is_written(tmp_path):
    grid = random_grid(0)
    with pytest.raises(
        ScoresError, match=r"3 x 3 cells, 24 videos and 4 classes .* 3,456 bytes; the limit is 3,000"
    ):
        ScoreGrid.create(tmp_path / "grid", **settings_of(grid, max_bytes=3000))
    with pytest.raises(ScoresError, match="the disk has"):
        ScoreGrid.create(tmp_path / "grid", **settings_of(grid, num_classes=10**13, max_bytes=10**20))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("chunk", "message"),
    [
        (np.zeros((3, 3, 25, 4)), "25 videos, but 24 of 24 are left"),
        (np.zeros((3, 2, 5, 4)), r"must have the shape \(3, 3, videos, 4\)"),
        (np.zeros((3, 3, 4)), "must have the shape"),
        (np.full((3, 3, 5, 4), np.nan), "row 0, column 0 .* 5 videos, the first at position 0"),
        (np.full((3, 3, 5, 4), 1e6), "not finite"),
    ],
)
def test_chunks_that_do_not_fit(tmp_path, chunk, message):
    writer = ScoreGrid.create(tmp_path / "grid", **settings_of(random_grid(0), dtype="float16"))
    with pytest.raises(ScoresError, match=message):
        writer.write(chunk)
    assert writer.num_done == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logits_SMNK": np.zeros((3, 3, 24))}, "must be float16 or float32"),
        ({"logits_SMNK": np.zeros((3, 3, 24), np.float32)}, "must have the axes"),
        ({"logits_SMNK": np.zeros((3, 3, 24, 0), np.float32)}, "no classes"),
        ({"logits_SMNK": np.full((3, 3, 24, 4), np.inf, np.float32)}, "logits: the cell of row 0, column 0"),
        ({"labels_N": np.zeros(23, int)}, "labels: has 23 videos but logits has 24"),
        ({"labels_N": np.full(24, 4)}, "must be in 0..3"),
        ({"labels_N": np.zeros((24, 3), int)}, "has 3 classes but the logits have 4"),
        ({"video_ids_N": np.array(["a"])}, "video_ids"),
        ({"first_depth": 0}, "first_depth: must be a whole number from 1"),
    ],
)
def test_impossible_grids(change, message):
    with pytest.raises(ScoresError, match=message):
        random_grid(0, **change)


@pytest.mark.reliability("Files", "a damaged folder of score grids", happens="is refused")
def test_damaged_folders(tmp_path):
    with pytest.raises(ScoresError, match="there is no score grid"):
        ScoreGrid.load(tmp_path / "grid")
    grid = random_grid(0)
    writer = ScoreGrid.create(tmp_path / "grid", **settings_of(grid))
    writer.write(grid.logits_SMNK)
    writer.finish()
    folder = tmp_path / "grid"
    header = json.loads((folder / "grid.json").read_text())
    for change, message in [
        ({"shape": [3, 3, 25, 4]}, "grid.json says float32 of"),
        ({"version": 2}, "version 2, not 1"),
        ({"trunk_gmacs": [[0.0]]}, "grid, trunk_gmacs"),
        ({"trunk_gmacs": [[1.0] * 9]}, r"grid, trunk_gmacs: has \(1, 9\) cells, but there are \(3, 3\)"),
        ({"steps": [10, 9]}, "steps.npy: there is no such file"),
    ]:
        (folder / "grid.json").write_text(json.dumps(header | change))
        with pytest.raises(ScoresError, match=message):
            ScoreGrid.load(folder)
    (folder / "grid.json").write_text(json.dumps(header))
    (folder / "labels.npy").write_bytes(b"nothing")
    with pytest.raises(ScoresError, match="labels.npy: can't be read"):
        ScoreGrid.load(folder)
    (folder / "labels.npy").unlink()
    with pytest.raises(ScoresError, match="labels.npy: there is no such file"):
        ScoreGrid.load(folder)
