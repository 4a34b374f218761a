import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest

from dynsearch.data import num_frames, open_dataset, read_frames
from dynsearch.data.motions.classes import CLASSES
from dynsearch.data.motions.dataset import MARKER, MotionsSizes, generate_motions
from dynsearch.data.motions.scene import SIZE_RANGE, draw_track, render
from dynsearch.errors import DataError, DynsearchError
from tests.data.conftest import SMALL

ANNOTATIONS = ("labels", "train", "validation", "test")


def read_labels(root):
    return {name: (root / f"labels/{name}.json").read_bytes() for name in ANNOTATIONS}


def read_videos(root):
    files = sorted((root / "20bn-something-something-v2").iterdir())
    return {file.name: read_frames(file, range) for file in files}


def test_the_layout_is_something_something_v2s(motions_root):
    train = json.loads((motions_root / "labels/train.json").read_text())
    unlabelled = json.loads((motions_root / "labels/test.json").read_text())

    assert len(train) == SMALL.num_train
    assert set(train[0]) == {"id", "label", "template", "placeholders"}
    assert [set(entry) for entry in unlabelled] == [{"id"}] * SMALL.num_unlabelled
    assert len(list((motions_root / "20bn-something-something-v2").glob("*.mp4"))) == 50


def test_it_opens_as_disjoint_splits_with_every_class(motions_root):
    dataset = open_dataset("motions", motions_root)

    ids = [record.video_id for records in dataset.splits.values() for record in records]
    assert {name: len(records) for name, records in dataset.splits.items()} == {
        "train": 24,
        "calibration": 12,
        "test": 12,
    }
    assert len(set(ids)) == len(ids) == 48
    assert len(dataset.class_names) == 12
    for records in dataset.splits.values():
        assert len(Counter(record.label for record in records)) == 12


def test_videos_are_h264_of_16_to_24_frames(motions_root):
    import av

    for record in open_dataset("motions", motions_root).splits["test"]:
        assert 16 <= num_frames(record.path) <= 24
        with av.open(str(record.path)) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 48, 48)


def test_the_same_seed_gives_the_same_files_and_frames_with_any_number_of_workers(motions_root, tmp_path):
    generate_motions(tmp_path / "again", SMALL, num_workers=2)

    assert read_labels(tmp_path / "again") == read_labels(motions_root)
    again, first = read_videos(tmp_path / "again"), read_videos(motions_root)
    assert again.keys() == first.keys()
    for name, frames in first.items():
        np.testing.assert_array_equal(again[name], frames)


def test_another_seed_gives_other_videos(motions_root, tmp_path):
    generate_motions(
        tmp_path / "other", MotionsSizes(num_train=36, num_validation=12, num_unlabelled=2, seed=4)
    )

    assert read_labels(tmp_path / "other")["train"] != read_labels(motions_root)["train"]


def test_a_complete_data_set_is_left_alone(motions_root):
    before = (motions_root / MARKER).stat().st_mtime_ns
    generate_motions(motions_root, SMALL)
    generate_motions(motions_root)

    assert (motions_root / MARKER).stat().st_mtime_ns == before


def test_other_sizes_replace_it(tmp_path):
    small = MotionsSizes(num_train=12, num_validation=12, num_unlabelled=0)
    generate_motions(tmp_path / "m", small, num_workers=0)
    generate_motions(tmp_path / "m", MotionsSizes(num_train=24, num_validation=12, num_unlabelled=0))

    assert len(list((tmp_path / "m/20bn-something-something-v2").iterdir())) == 36
    assert sorted(path.name for path in tmp_path.iterdir()) == [".m.lock", "m"]


def test_another_folder_is_never_overwritten(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter1.txt").write_text("precious")

    with pytest.raises(DataError, match=r"holds something that is not the motions data set.*new or an empty"):
        generate_motions(tmp_path / "thesis", SMALL)
    assert (tmp_path / "thesis/chapter1.txt").read_text() == "precious"


def test_progress_is_told(tmp_path):
    calls = []
    sizes = MotionsSizes(num_train=3, num_validation=1, num_unlabelled=0)
    generate_motions(tmp_path / "m", sizes, progress=lambda done, total: calls.append((done, total)))

    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


SCRIPT = """
import sys
from pathlib import Path
from dynsearch.data.motions.dataset import MotionsSizes, generate_motions
sizes = MotionsSizes(num_train=300, num_validation=60, num_unlabelled=0)
generate_motions(Path(sys.argv[1]), sizes, num_workers=0)
"""


def start(root):
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(root)], start_new_session=True)


def wait_for_files(folder, pattern, count):
    deadline = time.monotonic() + 30
    while len(list(folder.glob(pattern))) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_kill_halfway_leaves_nothing_that_looks_complete(tmp_path):
    process = start(tmp_path / "m")
    wait_for_files(tmp_path, ".m.making-*/20bn-something-something-v2/*.mp4", 5)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()

    assert not (tmp_path / "m").exists()
    generate_motions(tmp_path / "m", SMALL)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".m.lock", "m"]
    assert len(open_dataset("motions", tmp_path / "m").splits["test"]) == 12


def test_two_processes_at_once_make_it_once(tmp_path):
    processes = [start(tmp_path / "m") for _ in range(2)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]

    assert len(list((tmp_path / "m/20bn-something-something-v2").iterdir())) == 360
    assert sorted(path.name for path in tmp_path.iterdir()) == [".m.lock", "m"]


@pytest.mark.parametrize("pair", [(0, 1), (2, 3), (4, 5), (6, 7)])
def test_each_direction_is_the_other_played_backwards(pair):
    first, second = (CLASSES[label] for label in pair)
    assert (first.movement, first.sign) == (second.movement, -second.sign)
    quantity = {"horizontal": "x_T", "vertical": "y_T", "scale": "size_T", "rotation": "angle_T"}[
        first.movement
    ]

    def steps(motion, *, backwards):
        collected = []
        for seed in range(300):
            values = getattr(draw_track(motion, 16, 0.0, np.random.default_rng(seed)), quantity + "")
            if motion.movement == "scale":
                values = np.log(values / SIZE_RANGE[0]) / np.log(SIZE_RANGE[1] / SIZE_RANGE[0])
            if motion.movement == "rotation":
                values = values / (2 * np.pi)
            change = np.diff(values[::-1] if backwards else values)
            collected.append((change + 0.5) % 1.0 - 0.5)
        return np.sort(np.concatenate(collected))

    np.testing.assert_allclose(steps(first, backwards=True), steps(second, backwards=False), atol=1e-6)


@pytest.mark.parametrize("label", range(8))
@pytest.mark.parametrize("frame", [0, 8, 15])
def test_one_frame_of_a_moving_class_says_nothing(label, frame):
    # Place, size and angle are uniform in every frame of every moving class (Kolmogorov-Smirnov distance).
    motion = CLASSES[label]
    tracks = [draw_track(motion, 16, 0.01, np.random.default_rng([label, seed])) for seed in range(1500)]
    smallest, largest = SIZE_RANGE
    quantities = [
        [track.x_T[frame] for track in tracks],
        [track.y_T[frame] for track in tracks],
        [np.log(track.size_T[frame] / smallest) / np.log(largest / smallest) for track in tracks],
        [track.angle_T[frame] / (2 * np.pi) % 1.0 for track in tracks],
    ]
    for values in quantities:
        distance = np.abs(np.sort(values) - (np.arange(1500) + 0.5) / 1500).max()
        assert distance < 0.05  # the chance of more is below 0.2%


def test_render_gives_rgb_frames_that_move():
    video = render(CLASSES[1], 20, 48, np.random.default_rng(0))

    assert video.shape == (20, 48, 48, 3)
    assert video.dtype == np.uint8
    assert np.abs(np.diff(video.astype(float), axis=0)).mean() > 2


def test_a_process_that_dies_while_it_makes_a_video_is_an_error_that_names_it(monkeypatch, tmp_path):
    monkeypatch.setattr("dynsearch.data.motions.dataset.write_h264", lambda path, frames: os._exit(1))

    with pytest.raises(DynsearchError, match=r"\d+.mp4: a process that made this video was killed"):
        generate_motions(tmp_path / "dying", SMALL, num_workers=2)
    assert not (tmp_path / "dying").exists()
