from collections import Counter
from pathlib import Path

import pytest

from dynsearch.data.records import VideoRecord
from dynsearch.data.splits import carve_calibration, check_disjoint, shared_ids
from dynsearch.errors import DataError, InputError


def make_records(num_per_class, prefix=""):
    return [
        VideoRecord(f"{prefix}{label}-{index}", Path(f"{label}-{index}.mp4"), label)
        for label, count in enumerate(num_per_class)
        for index in range(count)
    ]


def test_each_class_gives_its_share():
    train, calibration = carve_calibration(make_records([30, 12, 4, 1]), 0.25, seed=0)

    assert Counter(record.label for record in calibration) == {0: 8, 1: 3, 2: 1}
    assert Counter(record.label for record in train) == {0: 22, 1: 9, 2: 3, 3: 1}


def test_nothing_is_lost_or_doubled():
    records = make_records([30, 12, 4, 1])
    train, calibration = carve_calibration(records, 0.25, seed=0)

    assert sorted(train + calibration, key=str) == sorted(records, key=str)


def test_the_split_does_not_depend_on_the_order_of_the_file():
    records = make_records([30, 12])

    assert carve_calibration(records[::-1], 0.3, seed=5) == carve_calibration(records, 0.3, seed=5)


def test_another_seed_gives_another_split():
    records = make_records([50])
    first, second = (
        {record.video_id for record in carve_calibration(records, 0.5, seed=seed)[1]} for seed in (0, 1)
    )

    assert first != second


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(InputError, match="calibration_fraction"):
        carve_calibration(make_records([4]), fraction, seed=0)


def test_too_few_videos_to_calibrate_on_is_an_error():
    with pytest.raises(DataError, match="leave none for calibration"):
        carve_calibration(make_records([1, 1]), 0.5, seed=0)


def test_with_few_groups_the_smallest_calibrates():
    sizes = {"ann": 6, "bob": 4, "cid": 5}
    records = [
        VideoRecord(f"{name}-{label}-{n}", Path(f"{name}-{label}-{n}.avi"), label, name)
        for name, size in sizes.items()
        for label in range(2)
        for n in range(size)
    ]
    train, calibration = carve_calibration(records, 0.05, seed=0)
    assert {record.group for record in calibration} == {"bob"}
    assert len(train) == 22


def test_a_video_in_two_splits_is_named():
    splits = {"train": make_records([2], "t"), "test": [*make_records([1], "t"), *make_records([2], "s")]}

    assert shared_ids(splits) == {"t0-0": ["train", "test"]}
    with pytest.raises(DataError, match=r"1 video ids .* t0-0 \(train and test\)"):
        check_disjoint(splits, where="root")
