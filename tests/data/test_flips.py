import json

import numpy as np
import pytest
import torch

from dynsearch.data.catalogue import get_info
from dynsearch.data.clips import ClipDataset
from dynsearch.data.flips import flip_clip, mirrored_classes
from dynsearch.data.motions.video_writer import write_h264
from dynsearch.data.records import VideoRecord
from dynsearch.study.recipe_file import load_recipe
from tests.data import barcode
from tests.data.loading import make_loader


def exchanged(names, rule="exchange"):
    """Return what mirroring makes of each class that does not stay itself, by name; None where it is off."""
    mirrored = mirrored_classes(names, rule).tolist()
    return {
        name: names[other] if other >= 0 else None
        for name, other in zip(names, mirrored, strict=True)
        if other < 0 or names[other] != name
    }


def both_ways(pairs):
    return {**pairs, **{right: left for left, right in pairs.items()}}


def test_something_something_exchanges_what_others_exchange(shared_data):
    labels = json.loads((shared_data / "annotations/something-something-v2/labels.json").read_text())
    names = sorted(labels, key=lambda name: int(labels[name]))

    mirrored = mirrored_classes(names, get_info("sthv2").flip).tolist()

    # mmaction2's sthv2_flip_label_map; a class that says "right" in another sense is left alone: never mirrored.
    theirs = {86: 87, 87: 86, 93: 94, 94: 93, 166: 167, 167: 166}
    assert {label: other for label, other in enumerate(mirrored) if other != label} == theirs | {50: -1}
    assert names[50].startswith("Plugging something into something but pulling it right out")


def test_jester_exchanges_swipes_slides_and_turns(shared_data):
    names = (shared_data / "annotations/jester/jester-v1-labels.csv").read_text().splitlines()
    assert get_info("jester").flip == "exchange"
    assert exchanged(names) == both_ways(
        {
            "Swiping Left": "Swiping Right",
            "Sliding Two Fingers Left": "Sliding Two Fingers Right",
            "Turning Hand Clockwise": "Turning Hand Counterclockwise",
        }
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Moving up", "Showing a ring"], {}),
        (["swipe left", "swipe right", "LEFT"], both_ways({"swipe left": "swipe right"}) | {"LEFT": None}),
        (["Rotation CW", "Rotation CCW"], both_ways({"Rotation CW": "Rotation CCW"})),
        (
            ["turning anticlockwise", "turning clockwise"],
            both_ways({"turning clockwise": "turning anticlockwise"}),
        ),
        (
            ["from left to right", "from right to left"],
            both_ways({"from left to right": "from right to left"}),
        ),
        (["standing upright", "leftovers"], {}),
    ],
)
def test_directions_are_found_by_whole_words(names, expected):
    assert exchanged(names) == expected
    assert exchanged(names, "plain") == {}


def test_other_data_sets_keep_their_classes():
    rules = {
        name: get_info(name).flip for name in ("ucf101", "hmdb51", "kinetics400", "activitynet", "fcvid")
    }
    assert set(rules.values()) == {"plain"}
    assert {get_info(name).flip for name in ("sthv1", "motions", "folders", "csv")} == {"exchange"}
    # Off unless asked for: today's results were made without.
    assert not load_recipe("motions")[0].training.flip


def test_one_clip_is_mirrored_with_its_classes():
    clip = torch.arange(24).view(2, 1, 3, 4)
    mirrored_K = torch.tensor([1, 0, 2, -1])

    flipped, label = flip_clip(clip, torch.tensor(0), mirrored_K)
    assert (flipped[..., 0] == clip[..., 3]).all()
    assert label == 1
    same, label = flip_clip(clip, torch.tensor(3), mirrored_K)
    assert (same is clip, int(label)) == (True, 3)

    _, labels = flip_clip(clip, torch.tensor([1, 0, 1, 0], dtype=torch.uint8), mirrored_K)
    assert labels.tolist() == [0, 1, 1, 0]
    same, labels = flip_clip(clip, torch.tensor([1, 0, 0, 1], dtype=torch.uint8), mirrored_K)
    assert (same is clip, labels.tolist()) == (True, [1, 0, 0, 1])


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    path = tmp_path_factory.mktemp("videos") / "v.mp4"
    write_h264(path, np.stack([barcode.draw(index + 1, 64, 64) for index in range(20)]))
    return [VideoRecord(f"v{index}", path, index % 3) for index in range(40)]


def clips_of(records, **changes):
    settings = {"num_frames": 4, "image_size": 64, "training": True, "seed": 1, "multi_scale_crop": False}
    settings |= {"mirrored_K": torch.tensor([1, 0, -1])}
    return ClipDataset(records, **settings | changes)


def whole(loader):
    return [torch.cat(parts) for parts in zip(*loader, strict=True)]


def test_half_of_the_clips_are_mirrored_all_frames_alike(records):
    plain, _, _ = clips_of(records, mirrored_K=None).batch(range(40))
    clips, labels, _ = clips_of(records).batch(range(40))

    was_flipped = [not torch.equal(*pair) for pair in zip(plain, clips, strict=True)]
    for index, flipped in enumerate(was_flipped):
        assert torch.equal(clips[index], plain[index].flip(-1) if flipped else plain[index])
        assert labels[index] == ((1, 0, 2)[index % 3] if flipped else index % 3)
        assert not (flipped and index % 3 == 2)  # class 2 has no mirror image
    assert 5 < sum(was_flipped) < 22  # of the 27 that may be


def test_flips_are_drawn_for_each_epoch_and_the_same_with_any_number_of_workers(records):
    dataset = clips_of(records)
    draws = []
    for epoch in (0, 1, 0):
        dataset.set_epoch(epoch)
        alone, two = (whole(make_loader(dataset, 8, shuffle=True, num_workers=n)) for n in (0, 2))
        assert all(torch.equal(one, other) for one, other in zip(alone, two, strict=True))
        draws.append(alone[1][alone[2].argsort()])
    assert torch.equal(draws[0], draws[2])
    assert not torch.equal(draws[0], draws[1])


def test_testing_never_mirrors(records):
    dataset = clips_of(records, training=False)
    assert dataset.batch(range(6))[1].tolist() == [0, 1, 2, 0, 1, 2]
    assert dataset.mirrored_K is None
