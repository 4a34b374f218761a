import numpy as np
import pytest

from dynsearch.errors import ScoresError
from dynsearch.frontier import solve_thresholds
from dynsearch.scores import ExitScores

COSTS = [1.0, 2.5, 4.0]


def small(**changes):
    rng = np.random.default_rng(0)
    fields = dict(
        cost_E=np.array(COSTS),
        logits_ENK=rng.normal(size=(3, 5, 4)).astype(np.float32),
        labels_N=np.array([0, 1, 2, 3, 0]),
        video_ids_N=np.array(list("abcde")),
        plan_id="p",
        split="calibration",
    )
    return ExitScores(**{**fields, **changes})


def one_value(exit_index, video, value, classes=1):
    logits = np.zeros((3, 5, 4))
    logits[exit_index, video, classes] = value
    return logits


def test_save_and_load_give_the_same_scores(tmp_path):
    scores = small(confidence_EN=np.linspace(0, 1, 15).reshape(3, 5))
    scores.save(tmp_path / "s.npz")
    back = ExitScores.load(tmp_path / "s.npz")
    for name in ("cost_E", "confidence_EN", "logits_ENK", "labels_N", "video_ids_N"):
        np.testing.assert_array_equal(getattr(back, name), getattr(scores, name))
    assert (back.plan_id, back.split, back.num_exits, back.num_videos) == ("p", "calibration", 3, 5)


def test_files_follow_the_written_contract(tmp_path):
    small().save(tmp_path / "s.npz")
    with np.load(tmp_path / "s.npz", allow_pickle=False) as archive:
        assert set(archive.files) == {"gmacs", "logits", "labels", "video_ids", "plan_id", "split"}
        assert archive["logits"].dtype == np.float32
        assert archive["labels"].dtype == np.int64


def test_multi_label_files_hold_uint8_and_count_any_label_as_right(tmp_path):
    logits = np.array([[[3.0, 1.0, 0.0], [0.0, 2.0, 1.0]]])
    labels = np.array([[1, 1, 0], [1, 0, 1]])
    scores = ExitScores.from_logits(logits, labels, [1.0])
    scores.save(tmp_path / "s.npz")
    with np.load(tmp_path / "s.npz") as archive:
        assert archive["labels"].dtype == np.uint8
    assert ExitScores.load(tmp_path / "s.npz").correct().tolist() == [[True, False]]


def test_confidence_and_correctness_alone_are_enough(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, confidence=np.full((3, 2), 0.5, np.float32), correct=np.eye(3, 2, dtype=bool), gmacs=COSTS)
    scores = ExitScores.load(path)
    assert scores.confidence().dtype == np.float64
    assert scores.correct().tolist() == np.eye(3, 2, dtype=bool).tolist()


def test_correct_from_logits_is_argmax_equal_label():
    scores = small()
    expected = [[scores.logits_ENK[e, n].argmax() == scores.labels_N[n] for n in range(5)] for e in range(3)]
    assert scores.correct().tolist() == expected


def test_arrays_cannot_be_changed_through_the_scores():
    mine = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
    scores = small(logits_ENK=mine)
    with pytest.raises(ValueError, match="read-only"):
        scores.logits_ENK[0, 0, 0] = 1
    mine[0, 0, 0] = 7.0  # the caller's own array stays his


def test_select_keeps_the_chosen_videos():
    chosen = small().select(np.array([4, 1]))
    assert chosen.video_ids_N.tolist() == ["e", "b"]
    np.testing.assert_array_equal(chosen.logits_ENK, small().logits_ENK[:, [4, 1]])


def test_unlabelled_scores_have_shares_but_no_accuracy():
    scores = small(labels_N=None)
    assert not scores.has_truth
    with pytest.raises(ScoresError, match="unlabelled"):
        scores.correct()


def test_a_measure_that_needs_logits_says_so():
    scores = ExitScores(cost_E=[1.0], confidence_EN=[[0.2]], correct_EN=[[True]])
    with pytest.raises(ScoresError, match="computed from logits"):
        scores.confidence("margin")
    with pytest.raises(ScoresError, match="no confidence column"):
        small().confidence("given")


@pytest.mark.reliability(
    "Numbers",
    "NaN or infinite logits, falling or zero costs, labels out of range, arrays that disagree",
    happens="are refused with the array named",
    sees="`exit ... has values that are not finite numbers for ... videos`, `cost falls from ... to ... at exit ...`",
)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(cost_E=[1.0, 3.0, 2.0]), "gmacs: cost falls from 3 to 2 at exit 3"),
        (dict(cost_E=[0.0, 1.0, 2.0]), "gmacs: the cost of exit 1 is 0"),
        (dict(cost_E=[-1.0, 1.0, 2.0]), "cost of exit 1 is -1"),
        (dict(cost_E=[1.0, np.nan, 2.0]), "cost of exit 2 is nan"),
        (dict(cost_E=[]), "no exits"),
        (dict(cost_E=[1.0, 2.0]), "logits: has 3 exits but gmacs has 2"),
        (dict(cost_E=["a", "b", "c"]), "gmacs: must be an array of numbers"),
        (dict(logits_ENK=np.zeros((3, 5))), r"logits: must have the axes"),
        (dict(logits_ENK=np.full((3, 5, 4), np.nan)), "logits: exit 1 has values that are not finite"),
        (
            dict(logits_ENK=one_value(1, 2, np.nan)),
            "exit 2 has .* for 1 videos, the first at position 2: nan",
        ),
        (dict(logits_ENK=one_value(2, 4, np.inf)), "the first at position 4: inf. float16 ends at 65,504"),
        (dict(logits_ENK=one_value(0, 1, -np.inf, slice(None))), "position 1: all -inf. A class with -inf"),
        (
            dict(cost_E=[8e8, 2e9, 4e9]),
            "costs 4e\\+09 GFLOPs .* plain multiply-accumulates. Divide them by 10\\^9",
        ),
        (dict(cost_E=[4.0, 2.0, 2.0]), "cost falls from 4 to 2 at exit 2. .* numpy.cumsum"),
        (dict(cost_E=[[1.0], [2.0], [4.0]]), r"Did you mean gmacs\.squeeze\(\), of shape \(3,\)"),
        (dict(logits_ENK=np.zeros((5, 4)), cost_E=[1.0]), r"Of a single exit it is logits\[None\]"),
        (dict(labels_N=[1, 2, 3, 4, 1]), "They run from 1 to 4: did you mean labels - 1"),
        (dict(labels_N=[[1], [0], [1], [0], [1]]), r"the logits have 4. One .* labels\[:, 0\]"),
        (
            dict(labels_N=["jump", "run", "run", "run", "run"]),
            "labels: must be an array of numbers. Give class",
        ),
        (dict(logits_ENK=np.zeros((3, 5, 1)), labels_N=[0, 1, 0, 0, 1]), "numpy.stack"),
        (dict(logits_ENK=np.zeros((3, 5, 0))), "logits: no classes"),
        (dict(logits_ENK=np.zeros((3, 0, 4)), labels_N=[], video_ids_N=[]), "the split is empty"),
        (dict(logits_ENK=None), "neither logits nor confidence"),
        (
            dict(labels_N=[0, 1, 2, 3, 4]),
            r"labels: the label at position 4 is 4, but labels must be in 0\.\.3",
        ),
        (dict(labels_N=[0, 1, -1, 3, 0]), "label at position 2 is -1.* If -1 means unlabelled, leave"),
        (dict(labels_N=[0, 1]), "labels: has 2 videos but logits has 5"),
        (dict(labels_N=[0.5, 1, 2, 3, 0]), "labels: must hold whole numbers"),
        (dict(labels_N=np.zeros((5, 3))), "labels: has 3 classes but the logits have 4"),
        (dict(labels_N=[np.inf, 1, 2, 3, 0]), "labels: must hold whole numbers"),
        (dict(labels_N=np.full(5, 2**64 - 1, dtype=np.uint64)), "labels: must hold whole numbers"),
        (dict(labels_N=np.full((5, 4), 2)), "labels: several labels a video must be 0 and 1"),
        (dict(logits_ENK=np.full((3, 5, 4), 1e300)), "logits: exit 1 has values that are not finite"),
        (dict(plan_id=np.array(["p", "q"])), "plan_id: must be one text, got 2 values"),
        (dict(video_ids_N=["a"]), "video_ids: has 1 videos"),
        (dict(correct_EN=np.full((3, 5), 2)), "correct: must hold true and false.* predictions == labels"),
        (dict(confidence_EN=np.zeros((2, 5))), "confidence: has 2 exits but gmacs has 3"),
    ],
)
def test_impossible_scores_are_refused_with_the_field_named(changes, message):
    with pytest.raises(ScoresError, match=message) as caught:
        small(**changes)
    assert caught.value.exit_code == 2


def write_bad(path, kind):
    if kind == "text":
        path.write_text("hello")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "one array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "pickle":
        np.savez(path, gmacs=np.array([{}], dtype=object))
    elif kind == "no gmacs":
        np.savez(path, confidence=np.zeros((1, 2)))
    elif kind == "cut":
        small().save(path)
        path.write_bytes(path.read_bytes()[:300])


@pytest.mark.reliability(
    "Files",
    "exit scores that are missing, empty, text, pickled, cut short or without costs",
    happens="are refused in one line, which says what to save instead; no pickle is loaded",
    sees="`no .npz file of named arrays`, `can't be read as exit scores: ...`",
)
@pytest.mark.parametrize("kind", ["missing", "text", "empty", "one array", "pickle", "no gmacs", "cut"])
def test_damaged_files_are_named_in_one_line(tmp_path, kind):
    path = tmp_path / "bad.npz"
    write_bad(path, kind)
    with pytest.raises(ScoresError, match=r"bad\.npz") as caught:
        ExitScores.load(path)
    assert "\n" not in str(caught.value)


def test_a_bad_array_in_a_file_names_file_and_array(tmp_path):
    path = tmp_path / "bad.npz"
    np.savez(path, confidence=np.zeros((2, 2)), correct=np.zeros((2, 2), bool), gmacs=[2.0, 1.0])
    with pytest.raises(ScoresError, match=r"bad\.npz, gmacs: cost falls"):
        ExitScores.load(path)


@pytest.mark.reliability("Files", "a failed write of exit scores", happens="the old file stays")
def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "s.npz"
    small().save(path)
    before = path.read_bytes()

    def full_disk(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(Exception, match="No space left"):
        small(plan_id="other").save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["s.npz"]


@pytest.mark.reliability(
    "Numbers",
    "logits of -inf: masked classes",
    happens="are classes with a probability of zero, in confidences, accuracies, likelihoods and temperatures",
)
def test_masked_classes_choose_the_same_points_as_if_they_were_not_there(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 60)
    logits = rng.normal(size=(3, 60, 4)) + np.arange(3)[:, None, None] * np.eye(4)[labels]
    scores = ExitScores.from_logits(logits, labels, COSTS)
    masked = np.concatenate([logits, np.full((3, 60, 2), -np.inf)], axis=2)
    ExitScores.from_logits(masked, labels, COSTS).save(tmp_path / "s.npz")
    found = ExitScores.load(tmp_path / "s.npz")
    for measure in ("max-softmax", "learned-gain"):
        expected, points = (solve_thresholds(one, confidence=measure) for one in (scores, found))
        assert [(p.top1, p.exit_share) for p in points] == [(p.top1, p.exit_share) for p in expected]


@pytest.mark.parametrize("measure", ["max-softmax", "margin"])
def test_reduced_scores_answer_with_the_measure_and_need_no_logits(measure):
    reduced = small().reduced(measure)
    assert reduced.logits_ENK is None
    np.testing.assert_array_equal(reduced.confidence("given"), small().confidence(measure))
    np.testing.assert_array_equal(reduced.correct(), small().correct())
    assert (reduced.plan_id, reduced.video_ids_N.tolist()) == ("p", list("abcde"))
