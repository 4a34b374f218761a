import sys

import numpy as np
import pandas
import pytest

from dynsearch.calibration import calibrate
from dynsearch.errors import ScoresError
from dynsearch.scores import ExitScores
from dynsearch.scores.groups import load_groups
from dynsearch.scores.tables import load_scores

TESTS = ("dynsearch.tables",)

ODD_NUMBERS = ("1e5", "1_000", "0x10", "TRUE", "1.5", "NaN", "None", "123456789012345678901", "2026-01-31")
NAMES = ("01", "1", "001", "1e5", "1_000", "0x10", "1.0", "123456789012345678901", "TRUE", "2026-01-31", "NaN", "None",
         "inf", "NA", "null", "n/a", "-", "vidé o")  # fmt: skip
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
    pytest.importorskip("pyarrow", reason="needs pyarrow: make install")
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
    pytest.importorskip("pyarrow", reason="needs pyarrow: make install")
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
        (
            "confidence_0,correct_0\n0.5,2\n",
            [1],
            r"s\.csv, row 1 \(line 2\), correct_0: must be 1 or 0 .*got '2'",
        ),
        ("confidence_0,correct_0\n0.5,\n", [1], r"row 1 \(line 2\), correct_0: the cell is blank"),
        (
            "confidence_0,correct_0\nsure,1\n",
            [1],
            r"row 1 \(line 2\), confidence_0: must be a number, got 'sure'",
        ),
        ("confidence_0,correct_0\n0.5,1\n", [1, 2], "has 1 exits but gmacs has 2"),
        ("confidence_0,correct_0\n", [1], "a header and no rows"),
        ("", [1], "holds nothing"),
        ("confidence_0,correct_1\n0.5,1\n", [1], "for the same exits"),
        ("confidence_0,correct_0\n0.5,1,7\n", [1], "line 2: 3 cells, but the first row has 2"),
        ("confidence_0, confidence_0\n0.5,1\n", [1], "has two columns confidence_0"),
        ("confidence_0,video_id\n0.5,a\n0.5,\n", [1], r"row 2 \(line 3\), video_id: the cell is blank"),
        ("confidence_0,label\n0.5,\n", [1], r"row 1 \(line 2\), label: the cell is blank"),
        *((f"confidence_0,label\n0.5,{x}\n", [1], "label: must be a class number") for x in ODD_NUMBERS),
        ("confidence_0;correct_0\n0,5;1\n", [1], "confidence_0: must be a number.*decimals with a point"),
        ("confidence_0\n1_000\n", [1], "confidence_0: must be a number, got '1_000'"),
        ("confidence_0\n0x10\n", [1], "confidence_0: must be a number, got '0x10'"),
        ("confidence_0,score\n0.5,1\n", [1, 2], "has 1 exits but gmacs has 2"),
        ("a\0\n1\n", [1], "line 1 holds a NUL character"),
        ('confidence_0,note\n0.5,"a\n', [1], "line 2: expected cells apart by ','"),
        ("confidence_0,label\n0.5,cat\n", [1], r"label: must be a class number, got 'cat'.*--by"),
    ],
)
def test_bad_tables_are_refused_with_file_and_column(tmp_path, text, cost, message):
    with pytest.raises(ScoresError, match=message) as caught:
        load_scores(written(tmp_path, text), cost)
    assert "s.csv" in str(caught.value)


@pytest.mark.reliability(
    "Files",
    "ids, groups and class names that look like numbers, dates, true, NaN, None, NA or null",
    happens="stay the text they are: each its own name; class numbers must be whole numbers",
    sees="`label: must be a class number, got ...`",
)
@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npz"])
def test_names_stay_as_they_are_written(tmp_path, suffix):
    path = tmp_path / f"s{suffix}"
    columns = {"video_id": list(NAMES), "camera": list(NAMES), "confidence_0": [0.5] * len(NAMES)}
    if suffix == ".csv":
        lines = (",".join(map(str, row)) for row in zip(*columns.values(), strict=True))
        path.write_text("\n".join([",".join(columns), *lines]), encoding="utf-8")
    elif suffix == ".npz":
        np.savez(path, confidence=[columns["confidence_0"]], gmacs=[1.0], video_ids=NAMES)
    else:
        pytest.importorskip("pyarrow", reason="needs pyarrow: make install")
        pandas.DataFrame(columns).to_parquet(path)
    scores = load_scores(path, None if suffix == ".npz" else [1])
    assert scores.video_ids_N.tolist() == list(NAMES)
    if suffix != ".npz":
        assert load_groups("camera", path, scores)[0].tolist() == list(NAMES)


@pytest.mark.parametrize("ids", [(7, 8), (7, None)])
def test_numbers_in_parquet_are_names_as_they_are_stored(tmp_path, ids):
    pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow: make install")
    from pyarrow import parquet

    table = {
        "video_id": ["a", "b"],
        "take": list(ids),
        "confidence_0": [0.1, 0.2],
        "correct_0": [True, False],
    }
    parquet.write_table(pyarrow.table(table), tmp_path / "s.parquet")
    scores = load_scores(tmp_path / "s.parquet", [1])
    assert scores.confidence().tolist() == [[0.1, 0.2]]
    groups, notes = load_groups("take", tmp_path / "s.parquet", scores)
    assert groups.tolist() == ["7", "8" if ids[1] else "missing"]
    assert len(notes) == (ids[1] is None)


@pytest.mark.parametrize(
    "content",
    [
        "video_id;confidence_0;correct_0;label\r\nclip é;0.5;TRUE;3.0\r\n".encode(),
        "\ufeffVideo ID\tConfidence 0\tCORRECT_0\tLabel\r\nclip é\t0.5\t1.0\t3\r\n".encode(),
        "video_id\tconfidence_0\tcorrect_0\tlabel\nclip é\t5e-1\ttrue\t3.\n".encode("utf-16"),
        'sep=,\n"video_id","confidence_0","correct_0","label",\n"clip é", 0.50 ,1,"3",\n,,,,\n'.encode(),
        "# made on Monday\n# video_id,confidence_0,correct_0,label\n# a note\nclip é,.5,1,3\n# the end\n".encode(),
        "video_id confidence_0  correct_0 label\r'clip' 0.5 1 3\r".replace("'clip'", '"clip é"').encode(),
    ],
)
def test_separators_encodings_and_comments(tmp_path, content):
    path = tmp_path / "s.csv"
    path.write_bytes(content)
    scores = load_scores(path, [1])
    assert scores.video_ids_N.tolist() == ["clip é"]
    assert (scores.confidence().tolist(), scores.correct().tolist()) == ([[0.5]], [[True]])
    assert scores.labels_N.tolist() == [3]


@pytest.mark.reliability(
    "Files",
    "a table in Latin-1 or UTF-16 without its mark",
    happens="is refused with line and byte",
    sees="`is not UTF-8 text: line ... has the byte ...`",
)
@pytest.mark.parametrize(
    ("encoding", "message"),
    [("latin-1", "line 2 has the byte 0xe9. Save it as UTF-8"), ("utf-16-le", "has the byte 0xe9|NUL")],
)
def test_other_encodings_are_refused_with_the_place(tmp_path, encoding, message):
    path = tmp_path / "s.csv"
    path.write_bytes("video_id,confidence_0\nvidé,0.5\n".encode(encoding))
    with pytest.raises(ScoresError, match=message):
        load_scores(path, [1])


@pytest.mark.reliability(
    "Numbers",
    "scores logged by a network that really stopped: blank cells or NaN from an exit on",
    happens="are refused with row and column (or exit and position)",
    sees="`row ... (line ...), confidence_...: the cell is blank. Log every exit of every video: ...`",
)
@pytest.mark.parametrize("gap", ["", "nan", "NaN"])
@pytest.mark.parametrize("columns", [("confidence_1",), ("correct_1",), ("confidence_1", "correct_1")])
def test_gaps_of_a_network_that_stopped(tmp_path, gap, columns):
    cells = {"confidence_0": 0.5, "correct_0": 1, "confidence_1": 0.9, "correct_1": 0}
    rows = [cells, cells | dict.fromkeys(columns, gap), cells]
    lines = [",".join(cells), *(",".join(map(str, row.values())) for row in rows)]
    message = rf"s\.csv, row 2 \(line 3\), {columns[0]}: .*Log every exit of every video"
    with pytest.raises(ScoresError, match=message):
        load_scores(written(tmp_path, "\n".join(lines)), [1, 2])


@pytest.mark.reliability(
    "Numbers", "scores logged by a network that really stopped: blank cells or NaN from an exit on"
)
def test_gaps_in_arrays_are_named_and_those_of_a_single_exit_are_said():
    confidence = np.array([[0.5, 0.6, 0.7], [0.7, np.nan, 0.8], [0.9, np.nan, np.nan]])
    given = {"cost_E": [1, 2, 3], "correct_EN": np.ones((3, 3), bool)}
    message = "confidence: exit 2 and those after it have none .NaN. for the video at position 1.*Log every"
    with pytest.raises(ScoresError, match=message):
        calibrate(ExitScores(confidence_EN=confidence, **given), confidence="given")
    confidence[2] = 0.9
    result = calibrate(ExitScores(confidence_EN=confidence, **given), confidence="given")
    assert (
        "1 confidences are not given (blank or NaN), the first at exit 2 for the video at position 1"
        in result.notes[1]
    )


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(ScoresError, match=r"none\.csv: there is no such file"):
        load_scores(tmp_path / "none.csv", [1])
