"""A disk that is full while weights, scores, caches and the record are written: one message, no half file."""

import contextlib
import types

import numpy as np
import pytest
import torch
from torch import nn

from dynsearch.data import frame_cache
from dynsearch.data.records import VideoRecord
from dynsearch.errors import DynsearchError
from dynsearch.files import write_text
from dynsearch.network.weights.files import save_weights
from dynsearch.scores import ExitScores, RectangleSteps, ScoreGrid, grid_files
from dynsearch.study.record import finished
from dynsearch.training.made import Made
from dynsearch.training.state import Progress, TrainingState
from tests.data.videos import encode
from tests.disks import SIZE, small_disk
from tests.search.toy import InlineEngine, run, summary

__all__ = ["small_disk"]
LARGE = 2 * SIZE


def save_large_weights(folder):
    save_weights(nn.Linear(LARGE // 4, 1), folder / "weights.safetensors")


def save_large_state(folder):
    network = nn.Linear(LARGE // 4, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    TrainingState(folder / "state.safetensors", Made({})).save(
        Progress(epoch=1), network, optimizer, torch.amp.GradScaler("cpu", enabled=False)
    )


def save_large_scores(folder):
    logits = np.random.default_rng(0).normal(size=(2, LARGE // 80, 10))
    ExitScores.from_logits(logits, None, [1.0, 2.0]).save(folder / "scores.npz")


def save_large_confidences(folder):
    confidence = np.random.default_rng(0).random((2, LARGE // 8))
    ExitScores(cost_E=[1.0, 2.0], confidence_EN=confidence).save(folder / "scores.npz")


def save_large_text(folder):
    write_text(folder / "table.csv", "1,2,3\n" * (LARGE // 6))


WRITERS = {
    "weights": save_large_weights,
    "training state": save_large_state,
    "scores": save_large_scores,
    "compressed scores": save_large_confidences,
    "table": save_large_text,
}
FULL = "can't write: No space left on device. Check free space and permissions"


@pytest.mark.reliability(
    "Files",
    "a full disk while weights, scores or tables are written",
)
@pytest.mark.parametrize("what", WRITERS)
def test_a_full_disk_is_one_message_and_leaves_what_was_there(small_disk, what):
    for name in ("weights.safetensors", "state.safetensors", "scores.npz", "table.csv"):
        (small_disk / name).write_text("old")
    with pytest.raises(DynsearchError) as caught:
        WRITERS[what](small_disk)
    assert str(caught.value).endswith(FULL)
    assert caught.value.exit_code == 1
    assert {path.read_text() for path in small_disk.iterdir()} == {"old"}
    assert len(list(small_disk.iterdir())) == 4


@pytest.mark.reliability(
    "Files",
    "a disk that others fill up while a frame cache is made",
    happens="one message, no half cache, and no process killed by its memory map",
    sees="`can't write: ...`",
)
def test_a_disk_that_fills_up_after_it_was_looked_at(small_disk, tmp_path, monkeypatch):
    path = encode(tmp_path / "v.avi", [np.zeros((48, 64, 3), np.uint8)] * 5, "mpeg4")
    monkeypatch.setattr(
        frame_cache.shutil, "disk_usage", lambda folder: types.SimpleNamespace(free=10 * LARGE)
    )
    records = [VideoRecord(f"v{n}", path, 0) for n in range(40)]
    with pytest.raises(DynsearchError, match="No space left on device"):
        frame_cache.make_frame_cache(
            records, name="x", num_frames=8, size=48, folder=small_disk / "frames", num_workers=0
        )
    assert list((small_disk / "frames").glob("*.npy")) == []
    assert list((small_disk / "frames").glob("*.json")) == []


@pytest.mark.reliability(
    "Files", "a disk that others fill up while a score grid is begun", happens="one message, nothing left"
)
def test_a_grid_that_finds_no_room_leaves_nothing(small_disk, monkeypatch):
    free = types.SimpleNamespace(free=10 * LARGE)
    monkeypatch.setattr(grid_files.shutil, "disk_usage", lambda folder: free)
    videos = LARGE // 80
    with pytest.raises(DynsearchError, match="No space left on device"):
        ScoreGrid.create(
            small_disk / "grid",
            num_classes=10,
            labels_N=np.zeros(videos, dtype=int),
            steps=RectangleSteps.of([[1.0, 2.0], [2.0, 4.0]], np.full((2, 2), 0.1)),
            num_sets=2,
            num_depths=2,
        )
    assert list(small_disk.iterdir()) == []


@pytest.mark.reliability(
    "Files",
    "a full disk while the study's record is written",
    happens="the study ends; with space again the same command goes on, and no finished trial is lost or repeated",
    sees="`its record can't be written: ...`",
)
@pytest.mark.parametrize("storage", ["sqlite", "journal"])
def test_a_study_goes_on_when_there_is_space_again(small_disk, tmp_path, storage):
    chosen = {} if storage == "sqlite" else {"storage": "journal"}
    settings = {"num_trials": 6, "engine": InlineEngine} | chosen
    whole, _ = run(tmp_path / "whole", **settings)
    folder, filler = small_disk / "s", small_disk / "filler"

    def fill_up():
        if len(ended) == 0 and len(list((folder / "trials").glob("*/scores-test.npz"))) == 3:
            ended.append(True)
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(512))

    ended = []
    with pytest.raises(DynsearchError, match="s: its record can't be written: .*run the same command again"):
        run(folder, after_trial=fill_up, **settings)
    assert ended
    filler.unlink()
    again, _ = run(folder, **settings)

    assert summary(again) == summary(whole)
    assert len(finished(again)) == len(finished(whole))
