"""Videos that can't be read, crash their decoder or hang it, in training and in scoring."""

import itertools
import json
import os
import re
import shutil
import signal
import time

import numpy as np
import pytest
import torch

from dynsearch.data.catalogue import open_dataset
from dynsearch.data.clips import ClipDataset
from dynsearch.data.frame_cache import make_frame_cache
from dynsearch.data.reader import READERS
from dynsearch.data.records import VideoRecord
from dynsearch.errors import DataError, DynsearchError, VideoError
from dynsearch.training import TrainingConfig
from tests.data.loading import make_loader
from tests.plans import small_plan


class FakeReader:
    """Frames that say which video they are of; what a video's name says happens to whoever reads it."""

    def read(self, path, choose, *, strict):
        number, _, fate = path.stem.partition("-")
        if fate == "broken":
            raise VideoError("is broken", where=str(path))
        if fate == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        if fate == "hang":
            time.sleep(600)
        if fate == "once" and not path.with_suffix(".seen").exists():
            path.with_suffix(".seen").touch()
            os._exit(7)
        return np.full((len(choose(10)), 8, 8, 3), int(number), dtype=np.uint8)


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    monkeypatch.setitem(READERS, "fake", FakeReader)


@pytest.fixture
def make(tmp_path):
    """Return a function that makes a loader of 20 videos, some of which have a fate."""

    def make_loader_of(fates, *, share=0.2, training=True, seconds=300.0, num_workers=2, lines=None):
        records = []
        for number in range(20):
            fate = fates.get(number)
            path = tmp_path / f"{number}{'-' + fate if fate else ''}.mp4"
            path.write_bytes(bytes([0, 0, 0, 24]) + b"ftypmp42" + bytes(1000))
            records.append(VideoRecord(f"v{number}", path, number))
        clips = ClipDataset(
            records,
            num_frames=2,
            image_size=8,
            training=training,
            seed=5,
            reader="fake",
            multi_scale_crop=False,
        )
        bad = {"max_bad_videos": share, "write": (lines if lines is not None else []).append}
        return make_loader(
            clips, 6, shuffle=training, num_workers=num_workers, seed=2, **bad, seconds=seconds
        )

    return make_loader_of


def labels_of(loader):
    """Return the labels of each batch, and check that the frames are of the videos they stand for."""
    found = []
    for clips, labels, indices in loader:
        assert labels.tolist() == indices.tolist()
        shades = [clip.unique().numel() for clip in clips]
        assert shades == [3] * len(labels)  # one shade, normalised for three colours
        found.append(labels.tolist())
    return found


@pytest.mark.reliability(
    "Files",
    "a bad video among the training videos",
    happens="another one takes its place, the same with any number of workers; the log names it",
    sees="`...: is broken`",
)
@pytest.mark.parametrize("num_workers", [0, 1, 3])
def test_a_bad_video_is_replaced_the_same_way_with_any_number_of_workers(make, num_workers):
    whole = labels_of(make({}, num_workers=0))
    lines = []
    loader = make({3: "broken", 11: "broken"}, num_workers=num_workers, lines=lines)

    found = labels_of(loader)

    assert found == labels_of(make({3: "broken", 11: "broken"}, num_workers=0))
    for before, now in zip(itertools.chain(*whole), itertools.chain(*found), strict=True):
        assert now not in (3, 11)
        assert now == before or before in (3, 11)
    assert loader.bad_video_ids() == ("v11", "v3")
    assert sorted(re.findall(r"\d+-broken.mp4: is broken", " ".join(lines))) == [
        "11-broken.mp4: is broken", "3-broken.mp4: is broken",
    ]  # fmt: skip
    loader.dataset.set_epoch(1)
    labels_of(loader)
    assert len(lines) == 2


@pytest.mark.reliability(
    "Files",
    "more bad training videos than allowed",
    happens="training ends",
    sees="`... of ... training videos can't be read, more than max_bad_videos=... allows, first ...`",
)
@pytest.mark.parametrize("num_workers", [0, 2])
def test_more_bad_videos_than_allowed_end_the_training(make, num_workers):
    loader = make({n: "broken" for n in (1, 4, 9)}, share=0.1, num_workers=num_workers)

    with pytest.raises(
        DataError,
        match=r"3 of 20 training videos can't be read, more than max_bad_videos=0.1 allows, first .*-broken.mp4: "
        r"is broken.*raise training.max_bad_videos",
    ):
        labels_of(loader)


@pytest.mark.reliability(
    "Files",
    "a bad video among those scored",
    happens="scoring ends; no video stands in for another",
    sees="`...: is broken`",
)
@pytest.mark.parametrize("num_workers", [0, 2])
def test_scoring_never_replaces_a_video(make, num_workers):
    loader = make({3: "broken"}, share=0.0, training=False, num_workers=num_workers)

    with pytest.raises(VideoError, match=r"3-broken\.mp4: is broken"):
        labels_of(loader)


@pytest.mark.reliability(
    "Files",
    "a video that crashes its decoder",
    happens="it costs a worker, not the training: another video takes its place",
    sees="`ended the process that read it (signal SIGKILL)`",
)
def test_a_video_that_crashes_its_decoder_is_replaced_and_named(make):
    lines = []
    loader = make({7: "crash"}, lines=lines)

    assert labels_of(loader) == labels_of(make({7: "broken"}, num_workers=0))
    assert loader.bad_video_ids() == ("v7",)
    assert re.search(r"7-crash\.mp4: ended the process that read it \(signal SIGKILL\)", lines[0])


@pytest.mark.reliability(
    "Files",
    "a video that its decoder never returns from",
    happens="its worker is ended after a time and another video takes its place",
    sees="`was not read within ... seconds`",
)
def test_a_video_that_hangs_its_decoder_is_replaced_and_named(make):
    lines = []
    loader = make({7: "hang"}, lines=lines, seconds=5.0, num_workers=1)

    assert labels_of(loader) == labels_of(make({7: "broken"}, num_workers=0))
    assert re.search(r"7-hang\.mp4: was not read within 5 seconds", lines[0])


@pytest.mark.reliability(
    "Files",
    "a decoding process killed from outside",
    happens="the video is read again; none is lost or blamed",
)
def test_a_process_ended_from_outside_costs_no_video(make):
    loader = make({7: "once"})

    assert labels_of(loader) == labels_of(make({}, num_workers=0))
    assert loader.bad == {}


@pytest.mark.reliability("Files", "a video that crashes its decoder")
@pytest.mark.parametrize("fate", ["crash"])
def test_a_crash_while_scoring_names_its_video(make, fate):
    loader = make({7: fate}, share=0.0, training=False)

    with pytest.raises(VideoError, match=r"7-crash\.mp4: ended the process that read it"):
        labels_of(loader)


def test_a_process_lost_between_videos_blames_none(make, monkeypatch):
    monkeypatch.setattr("dynsearch.data.clips.normalise", lambda frames: os._exit(3))

    with pytest.raises(DynsearchError, match=r"exit code 3.*not while reading one.*memory"):
        labels_of(make({}))


@pytest.mark.reliability(
    "Files", "no readable video at all", happens="training ends", sees="`none of ... videos can be read`"
)
def test_without_a_readable_video_there_is_an_error(make):
    with pytest.raises(DataError, match="none of 20 videos can be read"):
        labels_of(make({n: "broken" for n in range(20)}, share=0.99, num_workers=0))


@pytest.mark.parametrize("crop", [False, True])
def test_bad_videos_of_a_frame_cache_are_replaced_too(make, tmp_path, crop):
    records = make({}).dataset.records
    records[3].path.write_bytes(b"no video")
    settings = {"num_frames": 4, "size": 8, "folder": tmp_path / "frames", "num_workers": 0}
    cache = make_frame_cache(records, name="x", reader="fake", max_bad_videos=0.1, **settings)
    assert list(cache.bad) == [3]
    lines = []

    def batches(training=True, share=0.1):
        clips = ClipDataset(
            records, num_frames=2, image_size=8, training=training, seed=5, cache=cache, multi_scale_crop=crop
        )
        bad = {"max_bad_videos": share, "write": lines.append}
        return list(make_loader(clips, 6, shuffle=training, seed=2, **bad))

    assert 3 not in [int(index) for _, _, indices in batches() for index in indices]
    assert "3.mp4" in lines[0]
    with pytest.raises(VideoError, match=r"3\.mp4"):
        batches(training=False, share=0.0)


def test_batches_arrive_as_they_were_made(make):
    clips, labels, indices = next(iter(make({}, num_workers=2)))
    assert (clips.dtype, clips.shape) == (torch.float32, (6, 2, 3, 8, 8))
    assert (labels.dtype, indices.dtype) == (torch.int64, torch.int64)


def test_a_training_goes_on_without_a_bad_video_and_its_log_names_it(motions_root, tmp_path):
    from dynsearch.training.run import train_and_score
    from dynsearch.training.source import DatasetClips

    shutil.copytree(motions_root, tmp_path / "motions")
    lines = []
    dataset = open_dataset("motions", tmp_path / "motions")
    source = DatasetClips(dataset, write=lines.append, num_workers=1)
    bad = source.dataset.splits["train"][4]
    bad.path.write_bytes(bad.path.read_bytes()[:700])
    config = TrainingConfig(epochs=2, batch_size=12, pretrained=False, max_bad_videos=0.1)
    plan = small_plan("4x3", image_size=32)

    train_and_score(plan, source, config, tmp_path / "trial")

    log = [json.loads(line) for line in (tmp_path / "trial/metrics.jsonl").read_text().splitlines()]
    assert [entry["bad_videos"] for entry in log] == [[bad.video_id]] * 2
    assert sum(bad.path.name in line for line in lines) == 1
    with pytest.raises(DataError, match="1 of 24 training videos can't be read"):
        train_and_score(plan, source, config.model_copy(update={"max_bad_videos": 0.01}), tmp_path / "strict")
