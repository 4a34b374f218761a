"""What is said before a study trains where videos are of few people."""

from pathlib import Path

from dynsearch.data.records import VideoRecord
from dynsearch.study.own_recipe import few_videos

TESTS = ("dynsearch.study.own_recipe",)


def split(count, people):
    return [VideoRecord(f"{n}", Path(f"{n}.avi"), n % 2, group=f"p{n % people}") for n in range(count)]


def test_few_people_are_said_and_many_are_not():
    said = few_videos({"train": split(400, 40), "calibration": split(200, 40), "test": split(200, 4)})
    assert [line for line in said if "groups" in line] == [
        "test: 200 videos are of 4 groups, and what is said of new videos counts groups; so few can promise little "
        "of new ones"
    ]


def test_too_few_to_calibrate_on_is_said_with_the_way_out_before_training():
    splits = {"train": split(101, 200), "calibration": split(19, 200), "test": split(60, 200)}
    (few,) = few_videos(splits)
    assert few.startswith("only 19 calibration videos can't tell a loss")
    assert few.endswith("--strategy retrain --set calibration=folds would fit thresholds to all 120")
    assert few_videos(splits, folds=True) == [
        "thresholds are fitted to 120 videos, cross-fitted over folds: more networks a trial"
    ]
