"""What decides a result, and what only decides where and how fast it is had."""

import pytest
import yaml

from dynsearch.errors import RecipeError, StudyError
from dynsearch.export.bundle import Bundle
from dynsearch.study.folder import StudyFolder
from dynsearch.study.recipe_file import load_recipe, split_settings
from dynsearch.study.record import finished, open_record
from dynsearch.study.run_settings import RunSettings
from tests.compatibility import golden
from tests.export.bundles import toy_bundle
from tests.search.toy import SPACE, InlineEngine, Silent, recipe_and_run, run

FORMER = {
    "engine": "ray", "ray_address": "head:6379", "gpus_per_trial": 0.5, "concurrent": 3, "max_hours": 2.0,
    "storage": "journal", "reader": "pyav",
    "training": {"epochs": 7, "num_workers": 1, "save_every_steps": None, "timeout": 30.0},
    "frame_cache": {"num_frames": 4, "size": 40, "max_gb": 3.0},
    "one_shot": {"max_gigabytes": 2.0, "retrain": 4},
}  # fmt: skip
NOW = RunSettings(
    engine="ray", ray_address="head:6379", gpus_per_trial=0.5, concurrent=3, max_hours=2.0, storage="journal",
    reader="pyav", num_workers=1, save_every_steps=None, timeout=30.0, max_cache_gb=3.0, max_grid_gb=2.0,
)  # fmt: skip


def test_what_0_1_had_among_the_recipe_is_read_as_run_settings():
    found, how = recipe_and_run(**FORMER)
    assert how == NOW
    assert (found.training.epochs, found.frame_cache.size, found.one_shot.retrain) == (7, 40, 4)
    assert split_settings(found.resolved() | {"run": how.resolved()}) == (found, how)


def test_settings_have_both_spellings_and_the_last_counts():
    _, how = load_recipe(
        "motions",
        settings=["training.num_workers=3", "run.timeout=5", "run.num_workers=2", "training.timeout=6"],
        overrides={"concurrent": 4, "reader": None, "loggers": ("mlflow",)},
    )
    assert how == RunSettings(num_workers=2, timeout=6.0, concurrent=4, loggers=("mlflow",))


def test_a_file_that_says_a_field_twice_is_refused(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(
        "{dataset: a, space: b, max_gflops: 1, training: {num_workers: 1}, run: {num_workers: 2}}"
    )
    with pytest.raises(RecipeError, match=r"training\.num_workers and run\.num_workers are one field"):
        load_recipe(str(path))


def test_wrong_fields_of_both_are_in_one_message():
    with pytest.raises(RecipeError) as caught:
        load_recipe("motions", settings=["seed=x", "run.concurrent=0", "run.colour=red"])
    for field in ("seed: ", "run.concurrent: ", "run.colour: unknown field"):
        assert field in str(caught.value)


@pytest.mark.parametrize("former", [False, True], ids=["now", "0.1"])
def test_no_run_setting_blocks_a_resume(tmp_path, former):
    folder = StudyFolder(tmp_path / "s")
    folder.record(*recorded(FORMER))
    if former:
        text = yaml.safe_load(folder.study_file.read_text())
        text["recipe"] |= FORMER
        del text["run"]
        folder.study_file.write_text(yaml.safe_dump(text))
    changed = {
        "concurrent": 1, "max_hours": None, "reader": "decord", "engine": "local", "ray_address": None,
        "gpus_per_trial": None, "training": {"epochs": 7, "num_workers": 0, "timeout": 5},
        "frame_cache": {"num_frames": 4, "size": 40, "max_gb": 9.0},
    }  # fmt: skip
    folder.record(*recorded(FORMER | changed))
    assert (folder.run_settings().num_workers, folder.run_settings().reader) == (0, "decord")
    with pytest.raises(StudyError, match=r"settings: training\.epochs was 7, now 8\. Use"):
        folder.record(*recorded(FORMER | {"training": {"epochs": 8, "num_workers": 5}}))


def recorded(changes):
    found, how = recipe_and_run(**changes)
    return found, SPACE, None, how


def test_a_record_stays_where_it_is(tmp_path):
    from dynsearch.search.run import _say_where

    run(tmp_path / "s", engine=InlineEngine, num_trials=2, storage="journal")
    study, _ = run(
        tmp_path / "s", engine=InlineEngine, num_trials=3, storage=f"sqlite:///{tmp_path}/other.db"
    )
    folder = StudyFolder(tmp_path / "s")
    assert len(finished(study)) == len(finished(open_record(folder))) == 3
    assert not (tmp_path / "other.db").exists()
    assert folder.run_settings().storage == "journal"
    observer = Silent()
    for asked in (None, "journal", "sqlite:///other.db"):
        _say_where("journal", asked, observer)
    assert observer.notes == ["the study's record stays where it is, in journal"]


def test_a_bundle_says_what_and_not_where(tmp_path):
    secret = {
        "storage": "postgresql://someone@db.example.org/studies",
        "ray_address": "head.example.org:6379",
    }
    bundle = toy_bundle(tmp_path / "net", engine="ray", reader="pyav", **secret)
    for path in bundle.folder.iterdir():
        content = path.read_bytes()
        for word in (
            b"someone",
            b"example.org",
            b"postgresql",
            b"storage",
            b"engine",
            b"reader",
            b"num_workers",
        ):
            assert word not in content, path.name


def test_a_bundle_of_0_1_is_read_without_its_run_settings():
    bundle = Bundle.load(golden.HERE / "bundle")
    assert (bundle.recipe.dataset, bundle.recipe.training.batch_size) == ("sthv2", 6)
    assert "run" not in bundle.recipe.resolved()
