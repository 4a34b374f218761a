import pickle

import numpy as np
import pytest
import torch

from dynsearch.data import frame_index, open_dataset
from dynsearch.data.augmentation import normalise
from dynsearch.data.clips import ClipDataset
from dynsearch.data.frame_cache import make_frame_cache
from dynsearch.data.loader import begin_epoch
from dynsearch.data.motions.video_writer import write_h264
from dynsearch.data.reader import read_frames
from dynsearch.data.records import VideoRecord
from dynsearch.data.sampling import segment_centres
from dynsearch.errors import InputError, VideoError
from tests.data import barcode
from tests.data.loading import make_loader


@pytest.fixture(scope="module")
def records(motions_root):
    return open_dataset("motions", motions_root).splits["train"]


@pytest.fixture(scope="module")
def cache(records, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    return make_frame_cache(records, name="train", num_frames=12, size=48, folder=folder, num_workers=0)


def clips_of(records, **changes):
    settings = {"num_frames": 4, "image_size": 32, "training": True, "seed": 1} | changes
    return ClipDataset(records, **settings)


def all_batches(dataset, **changes):
    settings = {"shuffle": True, "seed": 9} | changes
    return list(make_loader(dataset, 7, **settings))


def assert_same(first, second):
    assert len(first) == len(second)
    for one, two in zip(first, second, strict=True):
        for left, right in zip(one, two, strict=True):
            assert torch.equal(left, right)


def test_a_test_clip_is_the_middle_of_the_middle_frames(records):
    dataset = clips_of(records, training=False, image_size=32, short_side=48)

    clips, labels, indices = dataset.batch([3])

    frames = read_frames(records[3].path, lambda count: segment_centres(count, 4).tolist())
    expected = normalise(torch.from_numpy(frames[:, 8:40, 8:40]).permute(0, 3, 1, 2))
    assert (labels.tolist(), indices.tolist()) == ([records[3].label], [3])
    assert clips.dtype == torch.float32
    torch.testing.assert_close(clips[0], expected)


def test_frames_come_in_temporal_order(tmp_path):
    write_h264(tmp_path / "v.mp4", np.stack([barcode.draw(index, 96, 96) for index in range(60)]))
    records = [VideoRecord("v", tmp_path / "v.mp4", 0)] * 5
    dataset = clips_of(records, num_frames=6, image_size=96, multi_scale_crop=False)

    clips, _, _ = dataset.batch([0, 1, 2, 3, 4])

    mean, std = (
        torch.tensor(value).view(3, 1, 1) for value in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    pictures = ((clips * std + mean) * 255).round().byte().permute(0, 1, 3, 4, 2).numpy()
    numbers = np.array([[barcode.read(frame) for frame in clip] for clip in pictures])
    assert (np.diff(numbers, axis=1) > 0).all()
    assert (numbers // 10 == np.arange(6)).all()  # one frame in each segment of 10
    assert len({tuple(row) for row in numbers}) > 1


@pytest.mark.parametrize("multi_scale_crop", [False, True])
def test_single_clips_batches_and_the_loader_agree(records, cache, multi_scale_crop):
    for source in (None, cache):
        dataset = clips_of(records, cache=source, short_side=48, multi_scale_crop=multi_scale_crop)
        singles = [dataset.batch([index]) for index in (5, 2, 9)]
        clips, labels, indices = dataset.batch([5, 2, 9])

        assert torch.equal(clips, torch.cat([clip for clip, _, _ in singles]))
        assert labels.tolist() == [int(label) for _, label, _ in singles]
        assert indices.tolist() == [5, 2, 9]
        assert labels.dtype == torch.int64
        assert clips.shape == (3, 4, 3, 32, 32)


def test_with_a_cache_the_test_clip_is_made_of_its_frames(records, cache):
    dataset = clips_of(records, training=False, image_size=48, cache=cache)

    clips, _, _ = dataset.batch([0, 7])

    frames = cache.frames_NSHWC[[0, 7]][:, [1, 4, 7, 10]]
    torch.testing.assert_close(clips, normalise(torch.from_numpy(frames).permute(0, 1, 4, 2, 3)))


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_batches_are_the_same_with_no_and_two_workers(records, cache, cached, training):
    dataset = clips_of(records, training=training, cache=cache if cached else None, short_side=48)
    dataset.set_epoch(3)

    assert_same(all_batches(dataset, num_workers=0), all_batches(dataset, num_workers=2))


def test_workers_of_later_epochs_know_the_files_index(records, tmp_path, monkeypatch):
    frame_index._known.clear()
    read, log = frame_index._read, tmp_path / "log"

    def counted(path):
        with log.open("a") as file:
            file.write(f"{path}\n")
        return read(path)

    monkeypatch.setattr(frame_index, "_read", counted)
    dataset = clips_of(records, short_side=48)
    for epoch in range(2):
        dataset.set_epoch(epoch)
        all_batches(dataset, num_workers=2)

    assert sorted(log.read_text().split()) == sorted(str(record.path) for record in records)
    assert set(frame_index.known_since(0)) == {
        (str(record.path), record.path.stat().st_size, record.path.stat().st_mtime_ns) for record in records
    }
    assert len(frame_index.known_since(frame_index.num_known() - 3)) == 3
    frame_index._known.clear()
    assert frame_index.num_known() == 0


def test_each_epoch_draws_its_own_order_and_frames_again_the_same_way(records, cache):
    dataset = clips_of(records, cache=cache, multi_scale_crop=False)
    loader = make_loader(dataset, 24, shuffle=True, seed=9)
    passes = []
    for epoch in (0, 1, 0):
        dataset.set_epoch(epoch)
        passes.append(next(iter(loader)))

    assert_same([passes[0]], [passes[2]])
    assert passes[0][2].tolist() != passes[1][2].tolist()
    by_index = [clips[indices.argsort()] for clips, _, indices in passes]
    assert not torch.equal(by_index[0], by_index[1])


def test_every_video_comes_once_an_epoch(records, cache):
    for shuffle in (True, False):
        batches = all_batches(clips_of(records, cache=cache), shuffle=shuffle)
        indices = torch.cat([indices for _, _, indices in batches]).tolist()

        assert [len(labels) for _, labels, _ in batches] == [7, 7, 7, 3]
        assert sorted(indices) == list(range(24))
        assert (indices == list(range(24))) is not shuffle


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_pass_can_begin_in_the_middle(records, cache, num_workers):
    loader = make_loader(clips_of(records, cache=cache), 7, shuffle=True, seed=3, num_workers=num_workers)
    begin_epoch(loader, 5)
    whole = [indices.tolist() for _, _, indices in loader]
    begin_epoch(loader, 5, first_batch=2)

    assert len(loader) == len(whole) == 4
    assert [indices.tolist() for _, _, indices in loader] == whole[2:]


def test_ranks_share_the_order_and_take_equally_many_steps(records, cache):
    dataset = clips_of(records[:23], cache=None, short_side=48)
    orders = [
        [
            index
            for batch in make_loader(dataset, 4, shuffle=True, rank=rank, num_ranks=3).batch_sampler
            for index in batch
        ]
        for rank in range(3)
    ]

    assert [len(order) for order in orders] == [8, 8, 8]
    assert {index for order in orders for index in order} == set(range(23))


def test_ranks_never_repeat_a_video_that_is_scored(records):
    dataset = clips_of(records[:23], training=False, short_side=48)
    orders = [
        [
            index
            for batch in make_loader(dataset, 4, shuffle=False, rank=rank, num_ranks=3).batch_sampler
            for index in batch
        ]
        for rank in range(3)
    ]

    assert sorted(index for order in orders for index in order) == list(range(23))


def test_a_dataset_is_sent_to_a_worker_without_its_cached_frames(records, cache):
    dataset = clips_of(records, cache=cache)
    sent = pickle.dumps(dataset)

    assert len(sent) < cache.frames_NSHWC.nbytes / 10
    assert torch.equal(pickle.loads(sent).batch([1])[0], dataset.batch([1])[0])


def test_an_unreadable_video_is_named(tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))

    with pytest.raises(VideoError, match=r"bad\.mp4"):
        clips_of([VideoRecord("bad", tmp_path / "bad.mp4", 0)]).batch([0])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"num_frames": 0}, "got 24, 0, 32"),
        ({"image_size": 0}, "got 24, 4, 0"),
        ({"image_size": 64, "short_side": 48}, "image_size=64 is larger"),
        ({"reader": "nope"}, "no video reader 'nope'"),
    ],
)
def test_impossible_settings_are_refused(records, changes, reason):
    with pytest.raises(InputError, match=reason):
        clips_of(records, **changes)


def test_a_cache_of_other_videos_is_refused(records, cache):
    with pytest.raises(InputError, match="24 videos, the split 3"):
        clips_of(records[:3], cache=cache)
    with pytest.raises(InputError, match="image_size=64 is larger than the frames' side 48"):
        clips_of(records, cache=cache, image_size=64)


@pytest.mark.parametrize("changes", [{"batch_size": 0}, {"rank": 2, "num_ranks": 2}, {"rank": -1}])
def test_impossible_loaders_are_refused(records, changes):
    settings = {"batch_size": 4, "shuffle": True} | changes
    with pytest.raises(InputError):
        make_loader(clips_of(records, short_side=48), **settings)
