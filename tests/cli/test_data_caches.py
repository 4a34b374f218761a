"""``dynsearch data caches`` on caches that are really made, read by other processes, and left by killed ones."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner

from dynsearch.cli.data import data
from dynsearch.data.cache_files import list_caches
from dynsearch.data.frame_cache import make_frame_cache
from dynsearch.data.motions.video_writer import write_h264
from dynsearch.data.records import VideoRecord

TESTS = ("dynsearch.cli.data_caches",)


@pytest.fixture
def frames(monkeypatch, tmp_path):
    monkeypatch.setenv("DYNSEARCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home/frames"


@pytest.fixture
def make(frames, tmp_path):
    path = tmp_path / "videos/0.mp4"
    path.parent.mkdir()
    write_h264(path, np.zeros((9, 64, 96, 3), dtype=np.uint8))

    def make_it(name):
        return make_frame_cache(
            [VideoRecord("0", path, 0)], name=name, num_frames=2, size=64, num_workers=0
        ).path

    return make_it


def run(*arguments):
    return CliRunner().invoke(data, ["caches", *map(str, arguments)])


def names():
    return sorted(cache.name.partition("-2x64")[0] for cache in list_caches())


def test_they_are_listed_with_size_and_videos_and_removed(make, frames, tmp_path):
    assert "0 frame caches, 0.00 GB" in run().output
    for name in ("motions-train", "motions-test", "own-train"):
        make(name)
    listed = json.loads(run("--json").output)["caches"]
    assert {(row["videos"], row["finished"], row["in_use"]) for row in listed} == {
        (str(tmp_path / "videos"), True, False)
    }
    assert all(row["bytes"] >= 2 * 64 * 64 * 3 for row in listed)
    text = run().output
    assert "3 frame caches" in text
    assert "videos x frames x size x size x 3 bytes" in text
    assert "removed 1 of 3 frame caches" in run("--remove", "motions-test").output
    assert "removed 1 of 2" in run("--remove", next(c.name for c in list_caches() if "own" in c.name)).output
    assert names() == ["motions-train"]
    result = run("--remove", "nope")
    assert "there is no frame cache 'nope'. There are: motions-train-2x64-" in str(result.exception)
    assert run("--remove", "motions", "--all").exit_code == 2
    assert names() == ["motions-train"]
    assert "removed 1 of 1" in run("--all").output
    assert [path.suffix for path in frames.iterdir()] == [".lock"] * 3


def test_those_not_used_for_days_are_removed(make):
    for days, name in enumerate(("a-train", "b-train", "c-train")):
        facts = make(name).with_suffix(".json")
        os.utime(facts, (time.time() - 10 * days * 86_400 - 60,) * 2)
    assert "removed 0 of 3" in run("--older-than", 30).output
    assert "removed 0 of 3" in run("--older-than", 15, "--remove", "b").output
    make("c-train")  # now it is used
    assert "removed 1 of 3" in run("--older-than", 5).output
    assert names() == ["a-train", "c-train"]


@pytest.mark.reliability(
    "Processes",
    "frame caches removed while a study reads them",
    happens="is refused; `--all` keeps them and removes the others",
    sees="... is in use. Wait for the command that uses it to end; nothing was removed",
)
def test_one_in_use_by_another_process_stays(make):
    path, _ = make("motions-train"), make("motions-test")
    program = (
        "import sys; from pathlib import Path; from dynsearch.data.frame_cache import FrameCache;"
        "cache = FrameCache(path=Path(sys.argv[1]), num_frames=2, size=64);"
        "cache.frames_NSHWC; print('open', flush=True); sys.stdin.read()"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert reader.stdout.readline() == "open\n"
    try:
        result = run("--remove", "motions")
        assert "motions-train" in str(result.exception)
        assert result.exception.exit_code == 2
        assert names() == ["motions-test", "motions-train"]
        assert " now " in run().output
        result = run("--all")
        assert f"kept, for it is in use: {path.stem}" in result.output
        assert names() == ["motions-train"]
    finally:
        reader.communicate("")
    assert "removed 1 of 1" in run("--remove", "motions").output


@pytest.mark.reliability(
    "Files",
    "frame caches that a killed process left unfinished",
    happens="are listed as such and removed, here or when the cache is made again",
)
def test_what_a_killed_process_left_is_listed_and_removed(make, frames):
    path = make("motions-train")
    torn = frames / f".{path.stem}.abcd1234.npy"
    torn.write_bytes(bytes(9000))
    (frames / "old-train-2x64-aa-bb.npy").write_bytes(bytes(100))
    assert sorted(c.name for c in list_caches() if not c.finished) == sorted(
        [f"{path.stem} (unfinished)", "old-train-2x64-aa-bb (unfinished)"]
    )
    assert "removed 1 of 3" in run("--remove", "old").output
    path.with_suffix(".json").unlink()
    assert make("motions-train") == path
    assert not torn.exists()
    assert names() == ["motions-train"]
