import pytest

from dynsearch.errors import ScoresError
from dynsearch.scores import ExitScores
from dynsearch.scores.groups import load_groups

SCORES = ExitScores(cost_E=[1.0], confidence_EN=[[0.5, 0.6]], correct_EN=[[1, 0]], video_ids_N=["a", "b"])


def written(tmp_path, text, name="groups.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_file_of_groups_is_matched_by_video_id(tmp_path):
    path = written(tmp_path, "video_id,group\nb,day\nc,day\na,night\n")
    assert load_groups(str(path), "s.npz", SCORES).tolist() == ["night", "day"]


def test_a_column_of_the_scores_table(tmp_path):
    path = written(tmp_path, "confidence_0,correct_0,camera\n0.5,1,left\n0.6,0,7\n", "s.csv")
    assert load_groups("camera", path, SCORES).tolist() == ["left", "7"]
    with pytest.raises(ScoresError, match="has no column 'lens'. Columns: confidence_0, correct_0, camera"):
        load_groups("lens", path, SCORES)


def test_npz_scores_have_no_columns():
    with pytest.raises(ScoresError, match=r"s\.npz: has no column 'camera'.*video_id and group"):
        load_groups("camera", "s.npz", SCORES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video_id,camera\na,1\n", "has no column group"),
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
