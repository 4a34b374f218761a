"""Files and folders that this user may not read or write, or that are no folders."""

import subprocess
import sys

import pytest

from dynsearch.data import DATASETS, open_dataset
from dynsearch.errors import DataError
from tests.users import NOBODY, needs_root

# All is imported before the rights are given up: what the interpreter lies in may be closed to others.
PROGRAM = """
import os, sys
from pathlib import Path
from dynsearch.data import open_dataset, read_frames
from dynsearch.data.layouts.video_tree import VideoTree
from dynsearch.errors import DynsearchError
from dynsearch.files import read_yaml, write_text
from dynsearch.scores import ExitScores
import encodings.idna, av, decord, json, pydantic, scipy.stats
folder = Path(sys.argv[1])
os.setgroups([]); os.setgid({nobody}); os.setuid({nobody})
for act in (
    lambda: VideoTree(folder / "closed"),
    lambda: open_dataset("csv", folder / "data"),
    lambda: read_frames(folder / "video.mp4", [0]),
    lambda: read_yaml(folder / "plan.yaml"),
    lambda: ExitScores.load(folder / "scores.npz"),
    lambda: write_text(folder / "data" / "new.txt", "x"),
):
    try:
        act()
    except DynsearchError as error:
        print(error)
"""


@pytest.mark.reliability(
    "Files",
    "files and folders that may not be read or written",
    happens="are named in one message",
    sees="`can't be listed: ...`, `can't be opened: ...`, `can't be read: ...`, `can't write: ...`",
)
@needs_root
def test_what_may_not_be_read_is_named(open_folder):
    for name in ("closed", "data"):
        (open_folder / name).mkdir()
    (open_folder / "closed").chmod(0o700)
    for name in ("data/all.csv", "video.mp4", "plan.yaml", "scores.npz"):
        (open_folder / name).write_text("path,label")
        (open_folder / name).chmod(0o600)
    program = PROGRAM.format(nobody=NOBODY)
    done = subprocess.run(
        [sys.executable, "-c", program, open_folder], capture_output=True, text=True, check=True
    )

    lines = done.stdout.splitlines()
    said = [
        "closed: can't be listed", "all.csv: can't be read", "video.mp4: can't be opened", "plan.yaml: can't be read",
        "scores.npz: can't be read", "new.txt: can't write",
    ]  # fmt: skip
    assert len(lines) == len(said), lines
    for line, words in zip(lines, said, strict=True):
        assert words in line
        assert "Permission denied" in line


@pytest.mark.reliability("Files", "a file where a folder should be")
def test_a_file_where_the_data_should_be_is_named(tmp_path):
    (tmp_path / "data").touch()
    for name in sorted(name for name in DATASETS if DATASETS.is_shipped(name) and name != "motions"):
        with pytest.raises(DataError, match="data: "):
            open_dataset(name, tmp_path / "data")
