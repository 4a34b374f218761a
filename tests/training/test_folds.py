"""Calibration scores of the training videos too, each from a network that has not seen the video."""

import pickle

import numpy as np
import pytest
from torch.utils.data import DataLoader

from dynsearch.data.loader import EpochOrder
from dynsearch.data.reader import READERS
from dynsearch.data.records import VideoDataset, VideoRecord
from dynsearch.errors import DataError, VideoError
from dynsearch.scores import ExitScores
from dynsearch.search.engines.engine import Job
from dynsearch.search.evaluator import TrainingEvaluator
from dynsearch.training import TrainingConfig
from dynsearch.training.config import FrameCacheConfig
from dynsearch.training.ranks import ALONE
from dynsearch.training.run import train_and_score
from dynsearch.training.source import DatasetClips
from tests.plans import small_plan
from tests.training.fakes import ArrayClips, ArraySource

CONFIG = TrainingConfig(epochs=1, batch_size=12, pretrained=False)


class PartOf(ArraySource):
    """Two folds of the array source's training videos, even and odd ones."""

    def __init__(self, taken=None):
        super().__init__()
        self.taken = taken

    def folds(self, most, config, seed):
        every = np.arange(self.sizes["train"])
        return [
            PartOf({"train": every[every % 2 != k], "calibration": every[every % 2 == k]}) for k in (0, 1)
        ]

    def places(self, split):
        return None if self.taken is None else self.taken.get(split, self.taken["calibration"])

    def video_ids(self, split):
        places = self.places(split)
        return super().video_ids(split) if places is None else [f"train-{place}" for place in places]

    def labels(self, split):
        places = self.places(split)
        return super().labels(split) if places is None else super().labels("train")[places]

    def loader(self, split, plan, config, *, training, seed, ranks=ALONE):
        places = self.places(split)
        if places is None:
            return super().loader(split, plan, config, training=training, seed=seed, ranks=ranks)
        clips = ArrayClips(self.sizes["train"], plan, seed=len("train"))
        clips.clips, clips.labels = clips.clips[places], clips.labels[places]
        return DataLoader(clips, batch_sampler=EpochOrder(clips, 12, shuffle=training, seed=seed))


class Quiet:
    def epoch(self, report):
        pass

    step = rung = epoch


def test_each_training_video_is_scored_by_a_network_that_has_not_seen_it(tmp_path):
    plan, source, folder = small_plan("1x3", "4x5"), PartOf(), tmp_path / "trials" / "0"
    found = TrainingEvaluator(source, CONFIG, seed=4, folds=True)(Job(0, plan, folder), Quiet())
    alone = TrainingEvaluator(source, CONFIG, seed=4)(Job(0, plan, tmp_path / "trials" / "1"), Quiet())
    assert found.calibration.num_videos == 30 + 36
    np.testing.assert_array_equal(found.test.logits_ENK, alone.test.logits_ENK)
    kept = ExitScores.load(folder / "scores-calibration.npz")
    np.testing.assert_array_equal(kept.logits_ENK, found.calibration.logits_ENK)
    np.testing.assert_array_equal(kept.logits_ENK[:, :30], alone.calibration.logits_ENK)
    assert sorted(kept.video_ids_N) == sorted([*source.video_ids("calibration"), *source.video_ids("train")])
    for number, fold in enumerate(source.folds(2, CONFIG, 0)):
        own = train_and_score(plan, fold, CONFIG, tmp_path / f"own-{number}", seed=4).calibration
        assert not {*fold.video_ids("train")} & {*own.video_ids_N}
        places = [list(kept.video_ids_N).index(name) for name in own.video_ids_N]
        np.testing.assert_array_equal(kept.logits_ENK[:, places], own.logits_ENK)
        np.testing.assert_array_equal(kept.labels_N[places], own.labels_N)
    assert not list(folder.glob("folds/*/*.safetensors"))


def clips(records):
    dataset = VideoDataset(
        name="mine",
        root=None,
        class_names=("a", "b"),
        splits={"train": records, "calibration": [], "test": []},
    )
    return DatasetClips(dataset)


@pytest.mark.parametrize("groups", [None, 9, 3])
def test_folds_are_disjoint_and_hold_whole_groups(tmp_path, groups):
    records = [
        VideoRecord(f"v{n}", tmp_path / f"{n}.avi", n % 2, group=groups and f"p{n // 2 % groups}")
        for n in range(60)
    ]
    folds = clips(records).folds(5, CONFIG, 1)
    assert len(folds) == (3 if groups == 3 else 5)
    held = [name for fold in folds for name in fold.video_ids("calibration")]
    assert sorted(held) == sorted(record.video_id for record in records)
    for fold in folds:
        assert {*fold.video_ids("train")} == {*held} - {*fold.video_ids("calibration")}
        assert {*fold.labels("calibration")} == {*fold.labels("train")} == {0, 1}
        if groups:
            assert not {*fold.groups("train")} & {*fold.groups("calibration")}
    assert len({str(fold.fingerprint) for fold in folds}) == len(folds)


def test_videos_of_one_person_have_no_folds(tmp_path):
    one = [VideoRecord(f"v{n}", tmp_path / f"{n}.avi", n % 2, group="p") for n in range(20)]
    with pytest.raises(DataError, match="leave none for a fold"):
        clips(one).folds(5, CONFIG, 0)


class Numbered:
    """All frames of a video have the number in its name; number 3 is damaged."""

    def read(self, path, choose, *, strict):
        if path.stem == "3":
            raise VideoError("damaged", where=str(path))
        return np.full((len(choose(10)), 48, 48, 3), 10 * int(path.stem), dtype=np.uint8)


def test_folds_share_the_frames_of_the_training_videos_and_leave_out_what_cannot_be_read(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(READERS, "numbered", Numbered)
    monkeypatch.setenv("DYNSEARCH_HOME", str(tmp_path / "home"))
    (tmp_path / "v").mkdir()
    records = []
    for n in range(20):
        path = tmp_path / "v" / f"{n}.mp4"
        path.write_bytes(bytes([0, 0, 0, 24]) + b"ftypmp42" + bytes([n]) * 100)
        records.append(VideoRecord(f"v{n}", path, n % 2))
    splits = {"train": records[:16], "calibration": records[16:], "test": records[16:]}
    dataset = VideoDataset(name="mine", root=tmp_path, class_names=("a", "b"), splits=splits)
    config = CONFIG.model_copy(update={"max_bad_videos": 0.1, "multi_scale_crop": False})
    whole = DatasetClips(dataset, FrameCacheConfig(num_frames=4, size=48), reader="numbered", num_workers=0)
    read = []
    for fold in pickle.loads(pickle.dumps(whole.folds(5, config, 0))):
        for split, training in [("train", True), ("calibration", False)]:
            loader = fold.loader(split, small_plan("1x3"), config, training=training, seed=0)
            for clips_B, labels_B, index_B in loader:
                numbers = [int(name[1:]) for name in [fold.video_ids(split)[i] for i in index_B]]
                shades = clips_B.flatten(1).mean(1).numpy()
                assert np.argsort(shades).tolist() == np.argsort(numbers).tolist()
                assert labels_B.tolist() == [number % 2 for number in numbers]
                read += [] if training else numbers
    assert sorted(read) == [n for n in range(16) if n != 3]
    assert len(list((tmp_path / "home" / "frames").glob("*.npy"))) == 1
