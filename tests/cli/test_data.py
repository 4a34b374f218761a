import json
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from dynsearch.cli.data import data
from dynsearch.data.motions.dataset import MotionsSizes, generate_motions
from dynsearch.errors import DataError
from dynsearch.study.recipe_file import load_recipe
from dynsearch.study.run_settings import RunSettings
from dynsearch.study.source import open_clips
from dynsearch.training import TrainingConfig
from tests.plans import small_plan


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("cli") / "motions"
    generate_motions(root, MotionsSizes(num_train=36, num_validation=12, num_unlabelled=0), num_workers=0)
    return root


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("DYNSEARCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(*arguments):
    return CliRunner().invoke(data, [str(argument) for argument in arguments])


def test_list_names_each_data_set_with_all_one_needs():
    result = run("list")

    assert result.exit_code == 0
    for text in (
        "motions",
        "sthv2",
        "12 classes",
        "174 classes",
        "168,913 train",
        "https://www.qualcomm.com",
    ):
        assert text in result.output


def test_list_json(home):
    entries = {entry["name"]: entry for entry in json.loads(run("list", "--json").output)}

    assert entries["sthv2"]["num_classes"] == 174
    assert entries["motions"]["default_root"] == str(home / "data/motions")
    assert set(entries["sthv2"]) >= {"title", "num_videos", "layout", "licence_page", "how_to_get"}


def test_list_imports_neither_torch_nor_decord():
    program = (
        "import sys; from dynsearch.cli.data import data; data(['list'], standalone_mode=False);"
        "print([name for name in ('torch', 'decord', 'av', 'timm') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert result.stdout.splitlines()[-1] == "[]"


def test_check_of_a_good_data_set(root):
    result = run("check", "--dataset", "motions", "--data-root", root, "--workers", 0)

    assert result.exit_code == 0
    assert "48 videos (36 train, 12 test)" in result.output
    assert "Nothing is wrong" in result.output


@pytest.fixture
def broken(root, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    for path in sorted((copy / "20bn-something-something-v2").iterdir())[:30]:
        path.write_bytes(b"not a video")
    return copy


def test_check_fails_with_a_table_and_a_csv(broken, tmp_path):
    table = tmp_path / "problems.csv"
    result = run("check", "--dataset", "motions", "--data-root", broken, "--csv", table)

    assert result.exit_code == 1
    assert "unreadable" in result.output
    assert f"and 10 more: see {table}" in result.output
    assert len(table.read_text().splitlines()) == 31


def test_check_json(broken):
    result = run("check", "--dataset", "motions", "--data-root", broken, "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["counts"] == {"unreadable": 30}


def test_prepare_fills_the_cache_of_every_split(root, home):
    result = run("prepare", "--dataset", "motions", "--data-root", root, "--frames", 2, "--workers", 0)

    assert result.exit_code == 0, result.output
    assert len(list((home / "frames").glob("*.npy"))) == 3
    assert "24 videos in" in result.output
    assert "12 videos in" in result.output


def test_prepare_makes_what_a_study_by_the_recipe_reads(root, home, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "{dataset: motions, space: motions, max_gflops: 1, seed: 3, calibration_fraction: 0.4, "
        "frame_cache: {num_frames: 3, size: 40}}"
    )
    result = run("prepare", "--recipe", tmp_path / "mine.yaml", "--data-root", root, "--workers", 0)
    assert result.exit_code == 0, result.output
    made = set((home / "frames").glob("*-3x40-*.npy"))
    source = open_clips(load_recipe(str(tmp_path / "mine.yaml"))[0], root, run=RunSettings(num_workers=0))
    for split in ("train", "calibration", "test"):
        plan, config = small_plan("4x3", image_size=32), TrainingConfig()
        source.loader(split, plan, config, training=split == "train", seed=0)
    assert set((home / "frames").glob("*-3x40-*.npy")) == made
    assert len(made) == 3


def test_without_the_data_one_message_says_what_is_missing(tmp_path):
    result = run("prepare", "--dataset", "sthv2", "--data-root", tmp_path)

    assert isinstance(result.exception, DataError)
    assert "labels/train.json" in str(result.exception)


def test_a_data_set_must_be_named():
    assert run("check").exit_code == 2
