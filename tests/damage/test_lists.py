"""The lists of UCF-101, HMDB-51 and FCVID, changed at every line and byte."""

import re
from pathlib import PurePosixPath

import numpy as np
import pytest

from dynsearch.data.catalogue import get_info
from dynsearch.data.layouts.hmdb51 import read_hmdb51
from dynsearch.data.layouts.ucf101 import read_ucf101
from tests.data.layouts.test_several_labels import FCVID, write_fcvid
from tests.data.layouts.test_ucf_and_hmdb import write_hmdb51, write_ucf101
from tests.mutations import NUMBER, changed_bytes, refused_or_right

PIECES = [
    "",
    "0",
    "1",
    "2",
    "3",
    "-1",
    "1.0",
    "x",
    "\t",
    "../..",
    "/etc/passwd",
    "a b",
    "é",
    "#",
    "train",
    "\0",
]


def mutations(content, seed):
    """Yield ``content`` with words of its lines changed, lines moved, and bytes changed."""
    rng = np.random.default_rng(seed)
    for turn in range(NUMBER):
        lines = content.decode().splitlines()
        at = turn % len(lines)
        kind = rng.choice(["word", "word", "word", "piece", "out", "twice", "swap"])
        if kind == "word":
            words = re.split(r"(\s+|/)", lines[at])
            words[rng.integers(len(words))] = str(rng.choice(PIECES))
            lines[at] = "".join(words)
        elif kind == "piece":
            lines[at] += str(rng.choice(PIECES))
        elif kind == "out":
            del lines[at]
        elif kind == "twice":
            lines.insert(at, lines[at])
        else:
            other = rng.integers(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        yield "\n".join(lines).encode("utf-8", "surrogatepass")
    yield from changed_bytes(content, seed + 1, NUMBER // 3)


def lines_of(content):
    return [line.strip() for line in content.decode("utf-8-sig").splitlines() if line.strip()]


@pytest.fixture
def empty(tmp_path):
    path = tmp_path / "empty.avi"
    path.touch()
    return path


@pytest.mark.reliability(
    "Files",
    "lists of UCF-101, HMDB-51 or FCVID changed at any line or byte",
    happens="are refused with file and line, or each video has the class and the part they say",
    sees="`line ...: expected ..., got ...`",
)
@pytest.mark.parametrize("name", ["trainlist01.txt", "testlist01.txt", "classInd.txt"])
def test_ucf101(tmp_path, empty, name):
    root = write_ucf101(tmp_path / "ucf", empty)
    path = root / "ucfTrainTestlist" / name

    def check(found, content):
        if name == "classInd.txt":
            assert [f"{i} {n}" for i, n in enumerate(found.class_names, start=1)] == [
                " ".join(line.split(maxsplit=1)) for line in lines_of(content)
            ]
            return
        records = found.train if name.startswith("train") else found.test
        kept = [(record.path.parent.name, record.path.name, record.label) for record in records]
        given = []
        for line in lines_of(content):
            place = line.rsplit(maxsplit=1)[0] if name.startswith("train") or line[-1].isdigit() else line
            label, video = place.split("/")
            given.append((label, video, found.class_names.index(label)))
        assert kept == given

    refused_or_right(
        mutations(path.read_bytes(), 41), path, lambda path: read_ucf101(root),
        check,
    )  # fmt: skip


@pytest.mark.reliability("Files", "lists of UCF-101, HMDB-51 or FCVID changed at any line or byte")
def test_hmdb51(tmp_path, empty):
    root = write_hmdb51(tmp_path / "hmdb", empty)
    path = root / "testTrainMulti_7030_splits/clap_test_split1.txt"

    def check(found, content):
        given = {"1": [], "2": [], "0": []}
        for line in lines_of(content):
            video, part = line.rsplit(maxsplit=1)
            given[part].append(video)
        for part, records in (("1", found.train), ("2", found.test)):
            claps = [r.path.name for r in records if found.class_names[r.label] == "clap"]
            assert claps == given[part]

    refused_or_right(
        mutations(path.read_bytes(), 43), path, lambda path: read_hmdb51(root),
        check,
    )  # fmt: skip


@pytest.mark.reliability("Files", "lists of UCF-101, HMDB-51 or FCVID changed at any line or byte")
@pytest.mark.parametrize("name", ["FCVID_VideoName_TrainTestSplit.txt", "FCVID_Label.txt"])
def test_fcvid(tmp_path, name):
    root = write_fcvid(tmp_path / "fcvid", FCVID)
    path = root / "materials" / name
    files = [path.with_name(f"FCVID_{part}.txt") for part in ("VideoName_TrainTestSplit", "Label")]

    def check(
        found, content
    ):  # A video lies in its class's folder, or with all others in one: its name counts.
        videos, labels = (lines_of(file.read_bytes()) for file in files)
        given = {"train": [], "test": []}
        for video, label in zip(videos, labels, strict=True):
            place, part = video.replace("\\", "/").replace("\t", " ").rsplit(" ", 1)
            ones = tuple(index for index, value in enumerate(label.split()) if float(value) == 1)
            if ones:
                given[part].append((PurePosixPath(place.strip()).stem, ones))
        for part, records in (("train", found.train), ("test", found.test)):
            kept = [(r.path.stem, r.labels) for r in records]
            assert kept == given[part]

    def read(path):
        return get_info("fcvid").read(root)

    refused_or_right(mutations(path.read_bytes(), 47), path, read, check)
