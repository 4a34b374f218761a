"""Whatever is done to a score file, it is read or refused with one line; nothing else is raised."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynsearch.errors import ScoresError
from dynsearch.frontier import solve_thresholds
from dynsearch.scores import ExitScores

RNG = np.random.default_rng(0)
FILES = {
    "confidence": {
        "gmacs": np.array([1.0, 2.0, 4.0]),
        "confidence": RNG.random((3, 9)),
        "correct": RNG.random((3, 9)) < 0.5,
        "labels": np.arange(9) % 4,
        "video_ids": np.array([f"v{i}" for i in range(9)]),
        "plan_id": np.array("p"),
    },
    "logits": {
        "gmacs": np.array([1.0, 2.0, 4.0]),
        "logits": RNG.normal(size=(3, 9, 4)).astype(np.float32),
        "labels": np.arange(9) % 4,
    },
    "many labels": {
        "gmacs": np.array([1.0, 2.0, 4.0]),
        "logits": RNG.normal(size=(3, 9, 4)),
        "labels": (RNG.random((9, 4)) < 0.4).astype(np.uint8),
    },
}
VALUES = [np.nan, np.inf, -np.inf, 0.0, -1.0, 0.5, 7.0, 1e300, -1e300, 1e-320]
DAMAGES = {
    "gone": lambda a, v: None,
    "scalar": lambda a, v: np.array(v),
    "empty": lambda a, v: np.empty(0),
    "texts": lambda a, v: np.full(a.shape, "x"),
    "complex": lambda a, v: np.full(a.shape, 1j),
    "dates": lambda a, v: np.full(a.shape, "2020-01-01", dtype="datetime64[D]"),
    "transposed": lambda a, v: a.T,
    "one axis more": lambda a, v: a[None],
    "cut": lambda a, v: a[..., :-1] if a.ndim else a,
    "cut in front": lambda a, v: a[1:] if a.ndim else a,
    "no items": lambda a, v: a[..., :0] if a.ndim else a,
    "backwards": lambda a, v: a[::-1] if a.ndim else a,
    "one value": lambda a, v: with_value(a, v),
    "all one value": lambda a, v: np.full(a.shape, v),
    "bytes swapped": lambda a, v: a.astype(a.dtype.newbyteorder()),
    "halves": lambda a, v: np.clip(a, -1e4, 1e4).astype(np.float16) if a.dtype.kind in "fiu" else a,
    "largest": lambda a, v: np.full(a.shape, 2**64 - 1, dtype=np.uint64),
}


def with_value(array, value):
    if array.dtype.kind == "U" or array.ndim == 0:
        return array
    changed = array.astype(np.float64)
    if changed.size:
        changed.flat[changed.size // 2] = value
    return changed


def answer(path):
    """Scores and frontier of a file, or None and the message of its refusal; warnings count as failures."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            scores = ExitScores.load(path)
            return scores, solve_thresholds(scores), ""
        except ScoresError as error:
            return None, None, str(error)


@given(
    st.sampled_from(sorted(FILES)),
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(sorted(DAMAGES)), st.sampled_from(VALUES)),
        min_size=1,
        max_size=2,
    ),
)
@settings(max_examples=250, deadline=None)
def test_a_damaged_file_is_read_or_refused_in_one_line(tmp_path_factory, kind, damages):
    arrays = dict(FILES[kind])
    for place, damage, value in damages:
        name = sorted(FILES[kind])[place % len(FILES[kind])]
        if name in arrays:
            arrays[name] = DAMAGES[damage](arrays[name], value)
            if arrays[name] is None:
                del arrays[name]
    path = tmp_path_factory.mktemp("damaged") / "s.npz"
    np.savez(path, **arrays)
    scores, curve, message = answer(path)
    if scores is None:
        assert "\n" not in message
        assert len(message) < 300
        return
    assert all(point.evaluate(scores) == point for point in curve)
    assert all(np.isfinite(point.cost) and 0 <= point.top1 <= 1 for point in curve)


@pytest.mark.parametrize("kind", FILES)
def test_the_files_are_good_before(tmp_path, kind):
    path = tmp_path / "s.npz"
    np.savez(path, **FILES[kind])
    assert len(solve_thresholds(ExitScores.load(path))) >= 1
