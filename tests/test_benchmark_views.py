"""The dense protocol that ``benchmarks/compression.py`` compares with."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.views import clip_indices, crop_corners, score_views, views_of
from dynsearch.data.clips import ClipDataset
from dynsearch.data.frame_cache import FrameCache
from dynsearch.data.records import VideoRecord
from dynsearch.data.sampling import segment_centres
from dynsearch.errors import InputError
from tests.network.nets import lively_network, random_clips
from tests.plans import small_plan

numbers = st.integers(1, 40)


@given(numbers, numbers, st.integers(1, 12))
def test_clips_take_a_frame_of_every_segment_at_rising_places(num_video_frames, num_frames, num_clips):
    found = clip_indices(num_video_frames, num_frames, num_clips)
    exact = [
        [int(num_video_frames / num_frames * (t + (v + 0.5) / num_clips) + 1e-9) for t in range(num_frames)]
        for v in range(num_clips)
    ]
    assert found.tolist() == exact
    assert found.min() >= 0
    assert found.max() < num_video_frames
    assert (
        np.diff(found.ravel(order="F")) >= 0
    ).all()  # clip after clip within a segment, then the next segment


@given(numbers, numbers)
def test_one_clip_is_the_usual_one(num_video_frames, num_frames):
    assert (
        clip_indices(num_video_frames, num_frames, 1)[0] == segment_centres(num_video_frames, num_frames)
    ).all()


def test_ten_clips_of_a_long_video_are_ten_different_ones():
    found = clip_indices(80, 8, 10)
    assert sorted(found.ravel().tolist()) == list(range(80))
    assert found[0].tolist() == list(range(0, 80, 10))


def test_crops_lie_along_the_longer_side():
    assert crop_corners(64, 100, 64, 3) == [(0, 0), (0, 18), (0, 36)]
    assert crop_corners(100, 64, 60, 3) == [(0, 2), (20, 2), (40, 2)]
    assert crop_corners(72, 72, 64, 3) == [(0, 0), (4, 4), (8, 8)]
    assert crop_corners(64, 100, 64, 1) == [(0, 18)]
    with pytest.raises(InputError, match="3 crops of 65 px can't be cut out of 100 x 64 px"):
        crop_corners(64, 100, 65, 3)


@pytest.fixture
def cache(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (2, 12, 20, 20, 3), dtype=np.uint8)
    np.save(tmp_path / "frames.npy", frames)
    (tmp_path / "frames.json").write_text('{"bad": {}}')
    return FrameCache(path=tmp_path / "frames.npy", num_frames=12, size=20)


def records(count):
    return [VideoRecord(str(i), Path(f"{i}.mp4"), 0) for i in range(count)]


def test_a_single_view_is_what_testing_sees(cache):
    clips = ClipDataset(records(2), num_frames=4, image_size=16, training=False, seed=0, cache=cache)
    views = views_of(
        records(2), num_frames=4, image_size=16, num_clips=1, num_crops=1, short_side=20, cache=cache
    )
    for index, view in enumerate(views):
        torch.testing.assert_close(view[0], clips.batch([index])[0][0])


def test_views_come_clip_by_clip(cache):
    first, _ = views_of(
        records(2), num_frames=4, image_size=16, num_clips=3, num_crops=3, short_side=20, cache=cache
    )
    assert first.shape == (9, 4, 3, 16, 16)
    frames = torch.from_numpy(cache.frames_NSHWC[0, [0, 3, 6, 9]]).permute(0, 3, 1, 2).float()
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = (frames[..., 4:, 4:] / 255 - mean[:, None, None]) / std[:, None, None]
    torch.testing.assert_close(first[2], expected, atol=1e-5, rtol=1e-5)


def scored(labels, network, videos):
    return score_views(
        network, videos, labels, video_ids=["a", "b"], split="test", device=torch.device("cpu")
    )


def test_probabilities_are_averaged_over_views_and_costs_add_up():
    network = lively_network(small_plan())
    videos = [random_clips(network.plan, batch=6, seed=seed) for seed in (0, 1)]
    scores = scored(np.array([1, 4]), network, videos)
    assert scores.cost_E.tolist() == [6 * network.cost_E[-1]]
    for found, views in zip(scores.logits_ENK[0], videos, strict=True):
        with torch.inference_mode():
            each = [network(view[None])[-1, 0].softmax(dim=0).numpy() for view in views]
        np.testing.assert_allclose(np.exp(found), np.mean(each, axis=0), rtol=1e-3, atol=1e-6)


def test_with_several_labels_every_class_is_averaged():
    network = lively_network(small_plan())
    videos = [random_clips(network.plan, batch=3, seed=seed) for seed in (0, 1)]
    scores = scored(np.eye(5, dtype=np.uint8)[:2], network, videos)
    with torch.inference_mode():
        expected = network(videos[1])[-1].double().sigmoid().mean(dim=0)
    found = 1 / (1 + np.exp(-scores.logits_ENK[0, 1].astype(float)))
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4)
