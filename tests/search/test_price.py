"""What a study is promised to take: the sums by hand, and nothing moved or written by asking."""

import json
import random

import numpy as np
import pytest
import torch

from dynsearch.data.home import home
from dynsearch.search import pace as pace_module
from dynsearch.search import price as price_module
from dynsearch.search.pace import Pace
from dynsearch.search.price import _AFTER, _BEGIN, _SEARCH, _priced, price_of
from dynsearch.space import SearchSpace
from dynsearch.study.recipe_file import load_recipe
from dynsearch.study.source import open_clips
from tests.cli.miniature_study import DATA, QUICK, SPACE, prepared
from tests.cli.runner import dynsearch_here

PACE = Pace(
    device="a device", cache=0.5, read=0.001, shared=0.02, alone=0.03, dense=0.004, score=0.005, fit=0.0, memory=1e9
)  # fmt: skip


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNSEARCH_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(prepared(tmp_path))
    return tmp_path


def asked(*settings, run=()):
    texts = (
        "training.epochs=4",
        "training.batch_size=6",
        "training.pretrained=false",
        "calibration_fraction=0.25",
    )
    overrides = {"max_gflops": 40, "space": "space.yaml", "num_trials": 9}
    recipe, how = load_recipe("sthv2", settings=(*texts, *settings), overrides=overrides | dict(run))
    return recipe, how, open_clips(recipe, "data", run=how)


class Sizes:
    """A source of which only sizes are asked."""

    num_classes, is_cached = 10, False

    def labels(self, split):
        return range({"train": 1000, "calibration": 100, "test": 200}[split])


def test_the_sums_are_those_by_hand(work):
    recipe, run, _ = asked(
        "one_shot.epochs=8", "one_shot.finish_epochs=2", "one_shot.retrain=4", "one_shot.shared=3",
        "one_shot.norm_batches=5", "run.num_workers=0", "run.concurrent=2", "frame_cache.num_frames=8",
        "frame_cache.size=32",
    )  # fmt: skip
    recipe = recipe.model_copy(update={"strategy": "one-shot"})
    space = SearchSpace.model_validate(SPACE | {"backbones": ["test_resnet", "resnet18"]})
    price = _priced(recipe, run, Sizes(), space, PACE, heavier=2.0)
    seconds = {name: 3600 * hours for name, hours in price.hours.items()}
    assert seconds == pytest.approx(
        {
            "begin": _BEGIN,
            "keep decoded frames": 1300 * 0.5,
            "train one-shot networks": 2 / 2 * 8 * 1000 * (0.001 + 2 * 0.02),
            "prepare and score orders": 4
            / 2
            * (5 * 6 + 100)
            * (0.001 + 2 * 0.004),  # 2 orders on 2 backbones
            "search exits on their scores": 4 * _SEARCH,
            "train plans alone": 4 / 2 * 2 * 1000 * (0.001 + 2 * 0.03),
            "score plans": 7 / 2 * (300 * (0.001 + 2 * 0.005) + _AFTER),
        }
    )
    in_fours = recipe.model_copy(update={"workers_per_trial": 4})
    hours = _priced(in_fours, run, Sizes(), space, PACE, heavier=2.0).hours
    assert 4 * 3600 * hours["train plans alone"] == pytest.approx(seconds["train plans alone"])
    assert price.disk == {
        "decoded frames": 1300 * 8 * 32 * 32 * 3,
        "score grids": 4 * (4 * 3) * 100 * 10 * 2,
        "exit scores": 7 * 3 * 300 * 10 * 4,
    }
    assert price.what == {
        "one-shot networks": 2, "orders": 4, "plans trained alone": 4, "with shared weights": 3,
    }  # fmt: skip
    alone = {"strategy": "retrain", "num_trials": 4}
    split, folds = (
        _priced(recipe.model_copy(update=alone | how), run, Sizes(), space, PACE, heavier=2.0)
        for how in ({}, {"calibration": "folds"})
    )
    assert folds.what["networks of folds"] == 5 * 4
    # Each of four trains one network on all videos and five on four fifths, and scores the training videos twice.
    assert folds.hours["train plans alone"] == pytest.approx(
        (1 + 5 * 4 / 5) * split.hours["train plans alone"]
    )
    more = folds.hours["score plans"] - split.hours["score plans"]
    assert 3600 * more == pytest.approx(4 / 2 * 2 * 1000 * (0.001 + 2 * 0.005))
    assert folds.disk["exit scores"] - split.disk["exit scores"] == 4 * 3 * 3 * 1000 * 10 * 4
    assert 3600 * price.cheaper["--retrain 2"] == pytest.approx(seconds["train plans alone"] / 2)
    assert 3600 * price.cheaper["--set one_shot.epochs=4"] == pytest.approx(
        seconds["train one-shot networks"] / 2
    )
    assert price.cheaper["each network less in the space"] == pytest.approx(
        price.cheaper["--set one_shot.epochs=4"]
    )


def test_where_others_read_the_longer_of_reading_and_computing_counts(work):
    recipe, run, _ = asked("run.num_workers=1")
    recipe = recipe.model_copy(update={"strategy": "retrain"})
    slow = Pace(**(PACE.__dict__ | {"read": 0.2}))
    for pace, each in ((PACE, 0.03), (slow, 0.2)):
        hours = _priced(recipe, run, Sizes(), SearchSpace.model_validate(SPACE), pace, 1.0).hours
        assert 3600 * hours["train plans alone"] == pytest.approx(9 * 4 * 1000 * each)
        cheaper = _priced(recipe, run, Sizes(), SearchSpace.model_validate(SPACE), pace, 1.0).cheaper
        gained = cheaper.get("a frame_cache, as reading takes longest", 0.0)
        assert 3600 * gained == pytest.approx(9 * 4 * 1000 * (each - 0.03))


def test_asking_moves_no_random_state_and_leaves_no_frames(work):
    recipe, run, source = asked("frame_cache.num_frames=4", "frame_cache.size=48", "training.refit_heads={}")
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    threads = torch.get_num_threads()
    price = price_of(recipe, run, source)
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    assert states == after
    assert torch.get_num_threads() == threads
    assert not (home() / "frames").exists()
    measured = price.pace
    for name in ("cache", "read", "shared", "alone", "dense", "score", "memory"):
        assert getattr(measured, name) > 0, name


def test_steps_timed_within_a_day_are_not_timed_again(work, monkeypatch):
    recipe, run, source = asked()
    monkeypatch.setattr(price_module, "measured_pace", lambda *how: PACE)
    first = price_of(recipe, run, source)
    assert first.pace == PACE

    def never(*how):
        raise AssertionError("timed again")

    monkeypatch.setattr(price_module, "measured_pace", never)
    assert price_of(recipe, run, source) == first
    (kept,) = (home() / "paces").iterdir()
    for broken in ("", "[]", '{"when": 1}', json.dumps({"when": 0.0, **PACE.__dict__})):  # Damaged, or old.
        kept.write_text(broken)
        with pytest.raises(AssertionError, match="timed again"):
            price_of(recipe, run, source)


def test_a_dry_run_begins_nothing(work):
    told = dynsearch_here(
        "study", *DATA, "--space", "space.yaml", *QUICK, "--trials", "9", "--dry-run", cwd=work
    )
    assert "Price: about " in told.out
    assert "1 one-shot networks, 2 orders, 6 plans trained alone, 6 with shared weights" in told.out
    assert "Memory of a process that trains: " in told.out
    assert "Cheaper by\n" in told.out
    assert not (work / "studies").exists()
    found = dynsearch_here(
        "study",
        *DATA,
        "--space",
        "space.yaml",
        *QUICK,
        "--strategy",
        "retrain",
        "--dry-run",
        "--json",
        cwd=work,
    ).json
    assert found["total_hours"] == pytest.approx(sum(found["hours"].values()))
    assert found["what"]["one-shot networks"] == found["what"]["orders"] == 0


def test_a_batch_that_a_cpu_takes_long_for_is_timed_on_fewer_videos(work, monkeypatch):
    recipe, run, source = asked()
    monkeypatch.setattr(pace_module, "_CPU_MACS", 1.0)
    assert price_of(recipe, run, source).pace.alone > 0
