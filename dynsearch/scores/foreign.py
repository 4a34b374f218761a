"""Scores as other programs write them: what a file is, which array is meant, and which way its axes run."""

import difflib
import os
import re
import zipfile
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path

import numpy as np

_WANTED = (
    "logits (exits, videos, classes), labels (videos,) and gmacs (exits,), the cumulative cost of each exit in 10^9"
    " multiply-accumulates"
)
_KINDS = (
    ("a PyTorch file", b"", (".pth", ".pt"), "torch.load(FILE, map_location='cpu')"),
    ("an HDF5 file", b"\x89HDF", (".h5", ".hdf5"), "h5py.File(FILE)"),
    ("a MATLAB file", b"MATLAB", (".mat",), "scipy.io.loadmat(FILE)"),
    ("one array", b"\x93NUMPY", (".npy",), "numpy.load(FILE)"),
    ("a pickle", b"\x80", (".pkl", ".pickle"), "pickle.load(open(FILE, 'rb')), if you trust it,"),
    ("a safetensors file", b"", (".safetensors",), "safetensors.numpy.load_file(FILE)"),
    ("a JSON file", b"{", (".json",), "json.load(open(FILE))"),
    ("a JSON file", b"[", (), "json.load(open(FILE))"),
)
"""What files of numbers are called, how they begin, how their names end, and what reads them."""
_NAMES = {
    "logits": "logits scores outputs predictions preds probabilities probs softmax y_pred",
    "labels": "labels targets ground_truth gt y y_true truth classes class",
    "gmacs": "gmacs macs gflops flops mflops costs",
    "confidence": "confidences confs certainty max_prob",
    "correct": "correct is_correct right hits",
    "video_ids": "video_ids ids names video_names videos filenames files paths keys",
}


def _plain(name: str) -> str:
    return re.sub("[^a-z]", "", name.lower()).removesuffix("s")


_MEANT = {_plain(word): name for name, words in _NAMES.items() for word in words.split()}


def kind_of(path: str | os.PathLike[str], start: bytes) -> tuple[str, str] | None:
    """Return what a file that holds no named arrays is and what to do with it; None where it may hold some.

    It is looked at, never loaded; ``start`` are its first bytes.
    """
    suffix = Path(path).suffix.lower()
    if start.startswith(b"PK"):
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
        if not members or any(name.endswith(".npy") for name in members):
            return None
        suffix = ".pth" if any(name.endswith("data.pkl") for name in members) else suffix
    for what, begins, suffixes, reader in _KINDS:
        if suffix in suffixes or (begins and start.startswith(begins)):
            reader = reader.replace("FILE", repr(Path(path).name))
            return (
                f"{what}, not an .npz file of named arrays",
                f"Convert it in Python: read it with {reader} and write numpy.savez('scores.npz', ...) with {_WANTED}",
            )
    return "no .npz file of named arrays", "Tables end in .csv or .parquet"


def arrays_in(path: str | os.PathLike[str]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every array of an ``.npz`` file, by name; nothing but their headers is read."""
    shapes = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                read = (
                    np.lib.format.read_array_header_1_0
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0
                )
                shapes[member.removesuffix(".npy")] = read(file)[0]
    return shapes


def meant(path: str | os.PathLike[str]) -> list[str]:
    """Return, for arrays that an ``.npz`` file of scores lacks, which of its others may be meant, in words."""
    shapes = arrays_in(path)
    found: dict[str, str] = {}
    deep = next((shape for shape in shapes.values() if len(shape) == 3), ())
    stacks: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for name, shape in shapes.items():
        stem = _plain(name)
        if name in _NAMES or name in ("cost", "measure", "plan_id", "split"):
            continue
        near = difflib.get_close_matches(stem, _MEANT, 1, 0.8)
        if re.search("[0-9]", name) and len(shape) in (1, 2):
            stacks.setdefault((stem, shape), []).append(name)
        by_shape = {deep[:1]: "gmacs", deep[1:2]: "labels", deep: "logits"} if deep else {}
        ours = _MEANT[near[0]] if near else by_shape.get(shape, "")
        found.setdefault(ours, f"{name} {shape} as {ours}")
    for (stem, shape), names in stacks.items():
        if len(names) > 1:
            ours = "logits" if len(shape) == 2 else _MEANT.get(stem, "confidence")
            found[ours] = f"numpy.stack of {', '.join(names)} {shape} as {ours}"
    given = {"gmacs" if name == "cost" else name for name in shapes}
    return [text for ours, text in found.items() if ours and ours not in given]


def turned(name: str, axes: str, shape: tuple[int, ...], sizes: Mapping[str, int]) -> str | None:
    """Return how an array's axes may be meant, in words; None where no order or several fit.

    ``axes`` has the letter of each axis, as it should be, for instance ``ENK``; ``sizes`` how long one should be, by
    letter, where that is known.
    """
    fitting = [
        order
        for order in permutations(range(len(shape)))
        if len(shape) == len(axes)
        and all(
            sizes.get(axis, shape[place]) == shape[place] for axis, place in zip(axes, order, strict=True)
        )
    ]
    if len(fitting) != 1:
        return None
    right = tuple(shape[place] for place in fitting[0])
    return f"Its axes must be ({', '.join(axes)}) = {right}: did you mean {name}.transpose{fitting[0]}?"
