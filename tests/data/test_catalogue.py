from pathlib import Path

import pytest

from dynsearch.data import DATASETS, open_dataset
from dynsearch.data.home import dataset_root, home
from dynsearch.data.motions.dataset import DEFAULT_SIZES
from dynsearch.errors import InputError
from tests.data.conftest import SMALL


def test_home_is_the_environment_variable_or_a_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("DYNSEARCH_HOME", str(tmp_path))
    assert home() == tmp_path
    assert dataset_root("sthv2") == tmp_path / "data/sthv2"
    assert dataset_root("sthv2", tmp_path / "mine") == tmp_path / "mine"

    monkeypatch.delenv("DYNSEARCH_HOME")
    assert home() == Path.home() / ".cache/dynsearch"


def test_the_embedded_data_set_is_made_on_first_use(monkeypatch, tmp_path):
    monkeypatch.setenv("DYNSEARCH_HOME", str(tmp_path))
    monkeypatch.setattr("dynsearch.data.motions.dataset.DEFAULT_SIZES", SMALL)

    dataset = open_dataset("motions")

    assert dataset.root == tmp_path / "data/motions"
    assert all(record.path.is_file() for records in dataset.splits.values() for record in records)


@pytest.mark.parametrize("info", [DATASETS[name] for name in DATASETS], ids=lambda info: info.name)
def test_every_entry_is_complete(info):
    assert DATASETS[info.name] is info
    assert info.num_classes is None or info.num_classes > 1
    assert set(info.num_videos) == ({"train", "test"} if info.num_classes else set())
    assert 0 < info.calibration_fraction < 1
    assert min(map(len, (info.title, info.layout, info.licence_page, info.how_to_get, info.splits))) > 5


def test_the_embedded_data_set_is_as_large_as_the_catalogue_says():
    info = DATASETS["motions"]
    assert info.num_videos == {"train": DEFAULT_SIZES.num_train, "test": DEFAULT_SIZES.num_validation}
    assert info.cache_size == DEFAULT_SIZES.side
    assert info.calibration_fraction == 1 / 3


def test_calibration_is_recorded_by_fraction_and_seed(motions_root):
    def calibration(**options):
        return {
            record.video_id
            for record in open_dataset("motions", motions_root, **options).splits["calibration"]
        }

    assert calibration() == calibration(calibration_fraction=1 / 3, seed=0)
    assert calibration(seed=1) != calibration()
    assert len(calibration(calibration_fraction=2 / 3)) == 24


def test_an_unknown_data_set_lists_the_known_ones():
    with pytest.raises(InputError, match=r"no data set 'sth'.*Known: motions, sthv2, sthv1, "):
        open_dataset("sth")
