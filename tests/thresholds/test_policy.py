import math

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dynsearch.errors import PolicyError
from dynsearch.thresholds import ExitPolicy

INF = math.inf
CONFIDENCES = np.array([[0.9, 0.5, np.nan, 0.2], [0.1, 0.5, 0.6, np.nan], [0.0, 0.0, 0.0, np.nan]])


@pytest.mark.parametrize(
    ("thresholds", "exits"),
    [
        ((0.5, 0.5, -INF), [0, 2, 1, 2]),  # strictly above; NaN never stops; the last takes the rest
        ((0.4, 0.0, -INF), [0, 0, 1, 2]),
        ((-INF, 0.0, -INF), [0, 0, 1, 0]),
        ((INF, INF, -INF), [2, 2, 2, 2]),
        ((INF, -INF, -INF), [1, 1, 1, 2]),
    ],
)
def test_a_video_stops_at_the_first_exit_above_its_threshold(thresholds, exits):
    assert ExitPolicy(thresholds).first_exit(CONFIDENCES).tolist() == exits


@given(st.lists(st.floats(allow_nan=False), max_size=4), st.integers(0, 1000))
def test_first_exit_equals_the_loop(thresholds, seed):
    policy = ExitPolicy((*thresholds, -INF))
    rng = np.random.default_rng(seed)
    confidence = rng.choice([0.0, 0.5, 1.0, np.nan, INF, -INF, *thresholds], size=(policy.num_exits, 7))
    for video, got in enumerate(policy.first_exit(confidence)):
        stops = [e for e in range(policy.num_exits - 1) if confidence[e, video] > policy.thresholds[e]]
        assert got == (stops[0] if stops else policy.num_exits - 1)


def test_one_exit_takes_everything():
    assert ExitPolicy((-INF,)).first_exit(np.array([[0.1, np.nan]])).tolist() == [0, 0]


def test_never_stop_is_not_confidence_one():
    assert ExitPolicy((INF, -INF)).first_exit(np.array([[1.0], [0.0]])).tolist() == [1]


def test_yaml_round_trip_is_readable(tmp_path):
    policy = ExitPolicy((0.123456789012345, INF, -INF), confidence="margin", plan_id="abc")
    policy.save(tmp_path / "policy.yaml")
    text = (tmp_path / "policy.yaml").read_text()
    assert "plan_id: abc" in text
    assert "- .inf" in text
    assert ExitPolicy.load(tmp_path / "policy.yaml") == policy
    assert ExitPolicy.from_dict(yaml.safe_load(text)) == policy


@given(st.lists(st.floats(allow_nan=False), max_size=5))
def test_dict_round_trip(thresholds):
    policy = ExitPolicy((*thresholds, -INF))
    assert ExitPolicy.from_dict(policy.to_dict()) == policy


@pytest.mark.reliability(
    "Numbers",
    "thresholds that are none, NaN, texts, or whose last is not -inf",
    happens="are refused",
    sees="`the last threshold must be -inf, got ...`",
)
@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ((), "one threshold for each exit"),
        ((0.5, 0.5), "last threshold must be -inf"),
        ((math.nan, -INF), "not a number"),
        (("high", -INF), "must be numbers"),
    ],
)
def test_impossible_thresholds_are_refused(thresholds, message):
    with pytest.raises(PolicyError, match=message):
        ExitPolicy(thresholds)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "must be a mapping"),
        ("thresholds: 3", "must be a list"),
        ("thresholds: [true, -.inf]", "must be numbers"),
        ("thresholds: ['0.5', -.inf]", "must be numbers"),
        ("{thresholds: [-.inf], limit: 3}", "unknown field 'limit'"),
        ("{thresholds: [-.inf], confidence: 3}", "must be texts"),
        ("thresholds: [", "not readable as YAML"),
    ],
)
def test_bad_policy_files_are_named(tmp_path, text, message):
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(PolicyError, match=message) as caught:
        ExitPolicy.load(path)
    assert "policy.yaml" in str(caught.value)


@pytest.mark.reliability(
    "Numbers",
    "thresholds of another network",
    happens="are refused by `plan_id` and number of exits",
    sees="`fitted for plan ..., not ...`",
)
def test_check_fits():
    policy = ExitPolicy((0.5, -INF), plan_id="a")
    policy.check_fits(2, "a")
    policy.check_fits(2, "")
    with pytest.raises(PolicyError, match="thresholds are for 2 exits, but there are 3"):
        policy.check_fits(3, "a")
    with pytest.raises(PolicyError, match="fitted for plan a, not b"):
        policy.check_fits(2, "b")
    with pytest.raises(PolicyError, match="2 exits"):
        policy.first_exit(np.zeros((3, 4)))
