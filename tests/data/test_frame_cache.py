import os
import signal
import time
from types import SimpleNamespace

import numpy as np
import pytest

from dynsearch.data import frame_cache, open_dataset, record_frames
from dynsearch.data.frame_cache import cache_bytes, check_limit, make_frame_cache
from dynsearch.data.motions.video_writer import write_h264
from dynsearch.data.reader import read_frames
from dynsearch.data.records import VideoRecord
from dynsearch.errors import DynsearchError, InputError, VideoError


@pytest.fixture
def records(tmp_path):
    rng = np.random.default_rng(0)
    made = []
    for index in range(3):
        path = tmp_path / f"videos/{index}.mp4"
        path.parent.mkdir(exist_ok=True)
        write_h264(path, rng.integers(0, 256, (9, 64, 96, 3), dtype=np.uint8))
        made.append(VideoRecord(str(index), path, index))
    return made


@pytest.fixture
def make(records, tmp_path):
    def make_it(chosen=records, **changes):
        settings = {"name": "set-train", "num_frames": 4, "size": 64, "num_workers": 0} | changes
        return make_frame_cache(chosen, folder=tmp_path / "frames", **settings)

    return make_it


@pytest.fixture
def decoded(monkeypatch):
    """The paths that were decoded in this process, in order."""
    paths = []

    def read(path, *arguments, **options):
        paths.append(path)
        return read_frames(path, *arguments, **options)

    monkeypatch.setattr(record_frames, "read_frames", read)
    return paths


def test_it_holds_the_middle_square_of_the_middle_frames(make, records):
    frames = make().frames_NSHWC

    assert frames.shape == (3, 4, 64, 64, 3)
    for index, record in enumerate(records):
        expected = read_frames(record.path, [1, 3, 5, 7])[:, :, 16:80]
        np.testing.assert_array_equal(frames[index], expected)


def test_frames_are_resized_by_their_short_side(make):
    assert make(size=32).frames_NSHWC.shape == (3, 4, 32, 32, 3)


def test_it_is_made_once(make, decoded, records):
    first, second = make(), make()

    assert first.path == second.path
    assert decoded == [record.path for record in records]


def test_worker_processes_make_the_same(make, tmp_path):
    alone = np.array(make().frames_NSHWC)
    for path in (tmp_path / "frames").glob("*.npy"):
        path.unlink()

    np.testing.assert_array_equal(make(num_workers=2).frames_NSHWC, alone)


@pytest.mark.reliability(
    "Files",
    "a video replaced by another one under its name, of the same size and with the old time of change",
    happens="its frames are decoded anew, and a study begun with the old one is not gone on with",
)
def test_other_content_of_the_same_size_and_time_makes_a_new_one(make, records, decoded):
    path, status = records[1].path, records[1].path.stat()
    first, old = np.array(make().frames_NSHWC), path.read_bytes()
    write_h264(path, np.full((9, 64, 96, 3), 200, dtype=np.uint8))
    path.write_bytes(path.read_bytes().ljust(len(old), b"\0")[: len(old)])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size

    second = make().frames_NSHWC

    assert len(decoded) == 6
    assert np.array_equal(first[[0, 2]], second[[0, 2]])
    assert (second[1] > 190).all()


def test_a_changed_video_makes_a_new_one_and_removes_the_old(make, records, decoded):
    old = make()
    write_h264(records[1].path, np.zeros((9, 64, 96, 3), dtype=np.uint8))
    os.utime(records[1].path, ns=(time.time_ns(), time.time_ns() + 10**9))
    new = make()

    assert new.path != old.path
    assert not old.path.exists()
    assert new.frames_NSHWC[1].max() < 5
    assert len(decoded) == 6


@pytest.mark.parametrize("changes", [{"num_frames": 5}, {"size": 32}, {"name": "other"}])
def test_other_settings_are_another_file(make, changes):
    first, second = make(), make(**changes)

    assert first.path != second.path
    assert first.path.exists()


def test_other_videos_are_another_file(make, records):
    first, second = make(), make(records[:2])

    assert first.path.exists()
    assert second.frames_NSHWC.shape[0] == 2


@pytest.mark.reliability("Files", "a frame cache cut short", happens="is made again")
@pytest.mark.parametrize("keep", [0, 60, 5000])
def test_a_truncated_file_is_made_again(make, decoded, keep):
    path = make().path
    content = path.read_bytes()
    path.write_bytes(content[:keep])

    assert make().path.read_bytes() == content
    assert len(decoded) == 6


@pytest.mark.reliability(
    "Files", "a frame cache of another version", happens="is made again, and the old one removed"
)
def test_a_file_of_another_version_is_made_again(make, decoded, monkeypatch):
    old = make().path
    monkeypatch.setattr(frame_cache, "_VERSION", frame_cache._VERSION + 1)
    new = make().path

    assert new != old
    assert len(decoded) == 6
    assert sorted(file.name for file in new.parent.iterdir() if file.name[0] != ".") == sorted(
        [new.name, new.with_suffix(".json").name]
    )


@pytest.mark.reliability("Files", "a frame cache that was never finished", happens="is made again")
@pytest.mark.parametrize(
    "facts", [None, "", "{}", '{"shape": [3, 4, 64, 64, 3]}', '{"shape": [2], "bad": {}}']
)
def test_a_file_that_was_never_finished_is_made_again(make, decoded, facts):
    path = make().path.with_suffix(".json")
    path.unlink() if facts is None else path.write_text(facts)

    assert make().bad == {}
    assert len(decoded) == 6


def test_unreadable_videos_up_to_a_share_are_black_and_named(make, records, decoded):
    records[1].path.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    records[2].path.unlink()
    cache = make(max_bad_videos=0.7)

    assert list(cache.bad) == [1, 2]
    assert "does not exist" in cache.bad[2]
    assert cache.frames_NSHWC[0].any()
    assert not cache.frames_NSHWC[1:].any()
    assert make(max_bad_videos=0.7).bad == cache.bad
    assert len(decoded) == 3
    records[0].path.unlink()
    with pytest.raises(VideoError, match=r"\.mp4: "):
        make(max_bad_videos=0.7)


@pytest.mark.reliability(
    "Files",
    "a frame cache larger than allowed",
    happens="is refused before a byte is written",
    sees="`would take ... GB, more than max_gb=...`",
)
def test_its_size_is_said_before_and_a_limit_refuses_it(make, tmp_path):
    lines = []
    make(write=lines.append)
    assert lines == [f"set-train: making a frame cache of 0.00 GB in {tmp_path / 'frames'}"]
    make(write=lines.append)
    assert len(lines) == 1

    check_limit([168_913, 24_777], 8, 128, 200.0)
    with pytest.raises(
        InputError,
        match=r"frame_cache: the frame cache of 193690 videos with 32 frames of 256 x 256 would take 1219 GB, "
        r"more than max_gb=200. Frames of 103 x 103 would do",
    ):
        check_limit([168_913, 24_777], 32, 256, 200.0)
    check_limit([168_913, 24_777], 32, 103, 200.0)


@pytest.mark.reliability(
    "Files",
    "a disk without room for a frame cache",
    happens="is refused before a byte is written",
    sees="`a frame cache needs ... GB and ... GB are free`",
)
def test_a_disk_without_room_refuses_it(make, monkeypatch, tmp_path):
    monkeypatch.setattr(frame_cache.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(DynsearchError, match=r"needs 0.0001475 GB and 1e-06 GB are free"):
        make()
    assert list((tmp_path / "frames").glob("*.npy")) == []


def test_a_video_that_can_not_be_read_leaves_no_file(make, records, tmp_path):
    records[2].path.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))

    with pytest.raises(VideoError, match=r"2\.mp4"):
        make(num_workers=2)
    assert list((tmp_path / "frames").glob("*.npy")) == []


@pytest.mark.reliability(
    "Files",
    "a video that vanished while a frame cache is made",
    happens="is named, and no half cache stays",
    sees="`does not exist`",
)
def test_a_missing_video_is_named(make, records):
    records[0].path.unlink()

    with pytest.raises(VideoError, match=r"0\.mp4: does not exist"):
        make()


def abort(record, **settings):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.reliability(
    "Files",
    "a video that ends the process that makes a frame cache",
    happens="is named",
    sees="`ended the process that read it (signal SIGKILL)`",
)
def test_a_video_that_ends_its_process_is_named(make, monkeypatch):
    monkeypatch.setattr(frame_cache, "_read_one", abort)

    with pytest.raises(VideoError, match=r"\d\.mp4: ended the process that read it \(signal SIGKILL\)"):
        make(num_workers=1)


@pytest.mark.parametrize("changes", [{"chosen": []}, {"num_frames": 0}, {"size": 0}])
def test_impossible_settings_are_refused(make, changes):
    with pytest.raises(InputError, match="a frame cache needs at least 1 video, 1 frame and 1 pixel"):
        make(**changes)


def test_its_size_is_known_before(make):
    assert cache_bytes(3, 4, 64) == make().frames_NSHWC.nbytes


def test_it_is_kept_under_the_home_folder(monkeypatch, tmp_path, motions_root):
    monkeypatch.setenv("DYNSEARCH_HOME", str(tmp_path / "home"))
    records = open_dataset("motions", motions_root).splits["test"]

    cache = make_frame_cache(records, name="motions-test", num_frames=2, size=48, num_workers=0)

    assert cache.path.is_relative_to(tmp_path / "home/frames")
