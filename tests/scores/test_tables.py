import sys

import numpy as np
import pytest

from dynsearch.errors import ScoresError
from dynsearch.scores import ExitScores
from dynsearch.scores.tables import load_scores

TABLE = "video_id,confidence_0,correct_0,confidence_1,correct_1\na,0.5,1,0.9,1\nb,,0,0.7,True\n"


def written(tmp_path, text, name="s.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_column_pair_for_each_exit(tmp_path):
    scores = load_scores(written(tmp_path, TABLE.replace("True", "1")), [1, 2])
    np.testing.assert_array_equal(scores.confidence(), [[0.5, np.nan], [0.9, 0.7]])
    assert scores.correct().tolist() == [[True, False], [True, True]]
    assert scores.video_ids_N.tolist() == ["a", "b"]
    assert scores.cost_E.tolist() == [1, 2]


def test_true_and_false_and_numbering_from_one(tmp_path):
    text = "confidence_1,correct_1,label\n0.5,True,3\n0.6,False,4\n"
    scores = load_scores(written(tmp_path, text), [1])
    assert scores.correct().tolist() == [[True, False]]
    assert scores.labels_N.tolist() == [3, 4]


def test_more_than_nine_exits_keep_their_order(tmp_path):
    names = [f"confidence_{k}" for k in reversed(range(12))]
    text = ",".join(names) + "\n" + ",".join(str(k) for k in reversed(range(12))) + "\n"
    scores = load_scores(written(tmp_path, text), range(1, 13))
    assert scores.confidence()[:, 0].tolist() == list(range(12))
    assert not scores.has_truth


def test_parquet_reads_the_same(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    path = tmp_path / "s.parquet"
    pandas.read_csv(written(tmp_path, TABLE.replace("True", "1"))).to_parquet(path)
    scores = load_scores(path, [1, 2])
    np.testing.assert_array_equal(scores.confidence(), [[0.5, np.nan], [0.9, 0.7]])
    assert scores.correct().tolist() == [[True, False], [True, True]]
    assert scores.video_ids_N.tolist() == ["a", "b"]


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "s.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "fastparquet", None)
    with pytest.raises(
        ScoresError, match=r"needs pyarrow. Install it \(pip install 'dynsearch\[parquet\]'\)"
    ):
        load_scores(path, [1, 2])


def test_a_damaged_parquet_file_is_named_in_one_line(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "s.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(ScoresError, match=r"s\.parquet: can't be read as a table") as caught:
        load_scores(path, [1, 2])
    assert "\n" not in str(caught.value)


def test_npz_goes_the_usual_way(tmp_path):
    ExitScores(cost_E=[1.0], confidence_EN=[[0.5]], correct_EN=[[1]]).save(tmp_path / "s.npz")
    assert load_scores(tmp_path / "s.npz").num_videos == 1
    with pytest.raises(ScoresError, match="carries its own costs"):
        load_scores(tmp_path / "s.npz", [1.0])


@pytest.mark.reliability(
    "Files",
    "a table of scores with missing, odd or disagreeing columns",
    happens="is refused with file and column",
)
@pytest.mark.parametrize(
    ("text", "cost", "message"),
    [
        (TABLE, None, "a table has no costs"),
        ("a,b\n1,2\n", [1], "has no column confidence_0"),
        ("confidence_0,confidence_2\n1,2\n", [1, 2], "has no column confidence_1"),
        ("confidence_2\n1\n", [1], "has no column confidence_0"),
        ("confidence_0,correct_0\n0.5,2\n", [1], r"s\.csv, correct: must hold true and false"),
        ("confidence_0,correct_0\n0.5,\n", [1], "correct: must hold true and false"),
        ("confidence_0,correct_0\nsure,1\n", [1], "confidence: must be an array of numbers"),
        ("confidence_0,correct_0\n0.5,1\n", [1, 2], "has 1 exits but gmacs has 2"),
        ("confidence_0,correct_0\n", [1], "the split is empty"),
        ("", [1], "can't be read as a table"),
        ("confidence_0,correct_1\n0.5,1\n", [1], "for the same exits"),
        ("confidence_0,correct_0\n0.5,1,7\n", [1], "rows are longer than the first"),
        ("confidence_0, confidence_0\n0.5,1\n", [1], "has two columns confidence_0"),
        ("confidence_0,video_id\n0.5,a\n0.5,\n", [1], "video_id: is missing in row 2"),
        ("confidence_0,label\n0.5,cat\n", [1], "label: must be class numbers.*--by"),
    ],
)
def test_bad_tables_are_refused_with_file_and_column(tmp_path, text, cost, message):
    with pytest.raises(ScoresError, match=message) as caught:
        load_scores(written(tmp_path, text), cost)
    assert "s.csv" in str(caught.value)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(ScoresError, match=r"none\.csv: there is no such file"):
        load_scores(tmp_path / "none.csv", [1])
