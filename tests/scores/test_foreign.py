"""Files and arrays of other programs: what they are is said, with the way on. Nothing in them is executed."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynsearch.errors import ScoresError
from dynsearch.scores import ExitScores
from dynsearch.scores.foreign import turned
from dynsearch.scores.tables import load_scores

LOGITS, LABELS, COSTS = np.zeros((3, 50, 5)), np.zeros(50, int), np.array([1.0, 2.0, 3.0])


def torch_file(prefix="logits"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{prefix}/data.pkl", pickle.dumps([1.0, 2.0]))
        archive.writestr(f"{prefix}/version", "3\n")
    return file.getvalue()


def npy():
    file = io.BytesIO()
    np.save(file, LOGITS)
    return file.getvalue()


FILES = {
    "flops.pth": (torch_file(), "is a PyTorch file", "torch.load('flops.pth', map_location='cpu')"),
    "scores.npz": (torch_file(), "is a PyTorch file", "torch.load('scores.npz'"),
    "old.pth": (pickle.dumps([1]), "is a PyTorch file", "torch.load"),
    "s.pkl": (
        pickle.dumps({"logits": 1}),
        "is a pickle",
        "pickle.load(open('s.pkl', 'rb')), if you trust it",
    ),
    "text.pkl": (pickle.dumps([1], protocol=0), "is a pickle", "pickle.load"),
    "renamed.npz": (pickle.dumps([1]), "is a pickle", "pickle.load"),
    "logits.npy": (npy(), "is one array", "numpy.load('logits.npy')"),
    "s.h5": (b"\x89HDF\r\n\x1a\n" + bytes(40), "is an HDF5 file", "h5py.File"),
    "new.mat": (b"\x89HDF\r\n\x1a\n" + bytes(40), "is an HDF5 file", "h5py.File"),
    "s.mat": (b"MATLAB 5.0 MAT-file", "is a MATLAB file", "scipy.io.loadmat"),
    "s.json": (json.dumps({"logits": [[1.0]]}).encode(), "is a JSON file", "json.load"),
    "list.txt": (b"[[1, 2]]", "is a JSON file", "json.load"),
    "s.safetensors": (bytes(8) + b"{}", "is a safetensors file", "load_file"),
    "s.tsv": (b"confidence_0\tcorrect_0\n", "is no .npz file of named arrays", ".csv or .parquet"),
    "empty.npz": (b"", "is no .npz file of named arrays", ".csv or .parquet"),
}


@pytest.mark.reliability(
    "Files",
    "scores in files of other programs: .pth, .npy, pickle, .mat, .h5, .json; renamed arrays",
    happens="one message says what the file is and how to convert it, or which array may be meant",
    sees="`is a PyTorch file, not an .npz file of named arrays. Convert it in Python: ...`, `Did you mean ...`",
)
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("load", [ExitScores.load, load_scores])
def test_files_of_other_programs_are_named_with_the_way_to_convert_them(tmp_path, name, load):
    content, says, hint = FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ScoresError) as caught:
        load(tmp_path / name)
    assert f"{name}: {says}" in str(caught.value)
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.reliability(
    "Files", "scores in files of other programs: .pth, .npy, pickle, .mat, .h5, .json; renamed arrays"
)
@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        (
            dict(logit=LOGITS, target=LABELS, flops=COSTS),
            "logit (3, 50, 5) as logits; target (50,) as labels; flops (3,) as gmacs?",
        ),
        (
            dict(arr_0=LOGITS, arr_1=LABELS, arr_2=COSTS),
            "arr_0 (3, 50, 5) as logits; arr_1 (50,) as labels; arr_2 (3,) as gmacs?",
        ),
        (dict(Logits=LOGITS, y_true=LABELS, gmacs=COSTS), "no array logits (or confidence). Did you mean Logits"),
        (dict(outputs=LOGITS, labels=LABELS, gmacs=COSTS), "Did you mean outputs (3, 50, 5) as logits?"),
        (
            {f"exit{k}": LOGITS[k] for k in range(3)} | dict(labels=LABELS, MACs=COSTS),
            "MACs (3,) as gmacs; numpy.stack of exit0, exit1, exit2 (50, 5) as logits?",
        ),
        (
            {f"conf_{k}": LOGITS[k, :, 0] for k in range(3)} | dict(gmacs=COSTS),
            "numpy.stack of conf_0, conf_1, conf_2 (50,) as confidence?",
        ),
        (dict(logits=LOGITS, labels=LABELS), "has no array gmacs. gmacs is the cumulative cost of each exit in GFLOPs"),
        (dict(logits=LOGITS, labels=LABELS, gmacs=np.array([{}])), "Objects are never loaded"),
    ],
)  # fmt: skip
def test_arrays_of_other_names_are_taken_for_what_they_may_be(tmp_path, arrays, says):
    np.savez(tmp_path / "s.npz", **arrays)
    with pytest.raises(ScoresError) as caught:
        ExitScores.load(tmp_path / "s.npz")
    assert says in str(caught.value)


@pytest.mark.reliability(
    "Numbers",
    "exit scores whose axes are in another order",
    happens="are refused, with the order that fits",
    sees="`Its axes must be (...) = ...: did you mean ...`",
)
@given(st.permutations(range(3)), st.permutations(range(2)), st.booleans())
def test_axes_in_any_other_order_are_refused_with_the_right_one(logits, correct, several):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (50, 5)) if several else rng.integers(0, 5, 50)
    given_ = dict(
        cost_E=COSTS,
        logits_ENK=rng.normal(size=(3, 50, 5)).transpose(logits),
        correct_EN=(rng.random((3, 50)) < 0.5).transpose(correct),
        labels_N=labels,
    )
    if logits == [0, 1, 2] and correct == [0, 1]:
        assert ExitScores(**given_).num_videos == 50
        return
    with pytest.raises(ScoresError) as caught:
        ExitScores(**given_)
    offered = [("logits", logits), ("correct", correct)]
    offered = [
        f"did you mean {name}.transpose{tuple(np.argsort(order).tolist())}?" for name, order in offered
    ]
    assert caught.value.hint.endswith(tuple(offered))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_tables_of_labels_in_the_other_order_are_refused(order):
    labels = np.random.default_rng(0).integers(0, 2, (50, 5)).transpose(order)
    if order == (1, 0):
        with pytest.raises(ScoresError, match=r"did you mean labels\.transpose\(1, 0\)"):
            ExitScores(cost_E=COSTS, logits_ENK=LOGITS, labels_N=labels)
    else:
        assert ExitScores(cost_E=COSTS, logits_ENK=LOGITS, labels_N=labels).several_labels


def test_where_two_orders_fit_none_is_offered():
    assert turned("logits", "ENK", (7, 3, 7), {"E": 3}) is None
    assert turned("logits", "ENK", (7, 3, 7), {"E": 3, "N": 5}) is None
