import numpy as np
import pytest

from dynsearch.calibration import calibrate
from dynsearch.errors import ScoresError
from dynsearch.scores import ExitScores
from dynsearch.scores.groups import load_groups
from dynsearch.scores.tables import load_scores

SCORES = ExitScores(cost_E=[1.0], confidence_EN=[[0.5, 0.6]], correct_EN=[[1, 0]], video_ids_N=["a", "b"])


def written(tmp_path, text, name="groups.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_groups_is_matched_by_video_id(tmp_path):
    path = written(tmp_path, "video_id,group\nb,day\nc,day\na,night\n")
    assert load_groups(str(path), "s.npz", SCORES)[0].tolist() == ["night", "day"]


def test_a_column_of_the_scores_table(tmp_path):
    path = written(tmp_path, "confidence_0,correct_0,camera\n0.5,1,left\n0.6,0,7\n", "s.csv")
    assert load_groups("camera", path, SCORES)[0].tolist() == ["left", "7"]
    with pytest.raises(ScoresError, match="has no column 'lens'. Columns: confidence_0, correct_0, camera"):
        load_groups("lens", path, SCORES)


def test_npz_scores_have_no_columns():
    with pytest.raises(ScoresError, match=r"s\.npz: has no column 'camera'.*video_id and group"):
        load_groups("camera", "s.npz", SCORES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video_id,camera\na,1\n", "has no column 'group'. Columns: video_id, camera"),
        ("video_id,group\na,1\na,2\nb,1\n", "video 'a' is there twice"),
        ("video_id,group\na,1\n", "1 of 2 videos have no group, one is 'b'"),
    ],
)
def test_bad_files_of_groups_are_refused(tmp_path, text, message):
    with pytest.raises(ScoresError, match=message):
        load_groups(str(written(tmp_path, text)), "s.npz", SCORES)


def test_groups_need_video_ids(tmp_path):
    nameless = ExitScores(cost_E=[1.0], confidence_EN=[[0.5]], correct_EN=[[1]])
    with pytest.raises(ScoresError, match="no video_ids"):
        load_groups(str(written(tmp_path, "video_id,group\na,1\n")), "s.npz", nameless)


@pytest.mark.reliability(
    "Files",
    "a blank cell in a column of groups, and rows of groups that match no video",
    happens="the videos are a group called missing; both are said",
    sees="`... videos have a blank for their group, and are shown as missing`",
)
def test_blank_groups_and_rows_without_a_video_are_said(tmp_path):
    cameras = ["front-left", "front-right", "rear", "roof"] * 3
    blank = [*cameras[:-1], ""]
    rows = "\n".join(f"{n},{name},0.5,1" for n, name in enumerate(blank))
    table = written(tmp_path, f"video_id,camera,confidence_0,correct_0\n{rows}\n", "s.csv")
    scores = load_scores(table, [1.0])
    groups, notes = load_groups("camera", table, scores)
    assert groups.tolist() == [*blank[:-1], "missing"]
    assert notes == ["1 of 12 videos have a blank for their group, and are shown as missing"]
    result = calibrate(str(table), 1, costs=[1.0], confidence="given", by="camera")
    assert {view.group: view.num_videos for view in result.groups}["roof"] == 2
    assert notes[0] in result.notes

    path = written(tmp_path, "video_id\tgroup\n" + "\n".join(f"{n}\tNA" for n in (*range(12), "x", "y")))
    groups, notes = load_groups(str(path), "s.npz", scores)
    assert set(groups.tolist()) == {"NA"}
    assert notes[0].endswith("groups.csv match no video, first x, y")


def test_groups_are_found_by_composed_names_and_a_group_may_be_called_missing(tmp_path):
    scores = ExitScores(cost_E=[1.0], confidence_EN=[[0.5, 0.6]], video_ids_N=["vide\u0301o", "b"])
    path = written(tmp_path, "video_id,group\nvid\u00e9o,missing\nb,\n")
    assert load_groups(str(path), "s.npz", scores)[0].tolist() == ["missing", "(missing)"]


@pytest.mark.reliability(
    "Files",
    "names of videos or groups as UTF-8 bytes, numbers or objects, in arrays",
    happens="are read as text; a missing name and other bytes are refused with the position",
    sees="`video_ids: the one at position ... is not UTF-8: ...`",
)
@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (np.array(["vidé".encode(), b"b"]), ["vidé", "b"]),
        (np.array(["vidé".encode(), "b"], dtype=object), ["vidé", "b"]),
        (np.array([7, "07"], dtype=object), ["7", "07"]),
        (np.array([7, 8]), ["7", "8"]),
        (np.array([b"a", b"\xe9"]), "video_ids: the one at position 1 is not UTF-8"),
        (np.array(["a", None], dtype=object), "video_ids: the one at position 1 is missing"),
        (np.array([1.0, np.nan]), "video_ids: the one at position 1 is missing"),
    ],
)
def test_names_in_arrays(tmp_path, ids, expected):
    given = {"confidence_EN": [[0.5, 0.6]], "correct_EN": [[1, 0]], "cost_E": [1.0]}
    if isinstance(expected, str):
        with pytest.raises(ScoresError, match=expected):
            ExitScores(**given, video_ids_N=ids)
        with pytest.raises(ScoresError, match="by: the one at position 1"):
            calibrate(ExitScores(**given), 1, confidence="given", by=ids)
        return
    scores = ExitScores(**given, video_ids_N=ids)
    scores.save(tmp_path / "s.npz")
    assert scores.video_ids_N.tolist() == ExitScores.load(tmp_path / "s.npz").video_ids_N.tolist() == expected
    if ids.dtype.kind == "S":
        np.savez(tmp_path / "b.npz", confidence=[[0.5, 0.6]], gmacs=[1.0], video_ids=ids)
        assert ExitScores.load(tmp_path / "b.npz").video_ids_N.tolist() == expected
