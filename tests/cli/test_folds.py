"""A study whose thresholds see the training videos too, to a bundle that is trained in full, with the real command."""

import json

import pytest

from dynsearch.scores import ExitScores
from tests.cli.miniature_study import DATA, arguments, prepared
from tests.cli.runner import dynsearch, dynsearch_here

TESTS = ("dynsearch.training.folds", "dynsearch.cli.train")
QUICK = ("--trials", "1", "--set", "training.epochs=1", "--set", "calibration=folds")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = prepared(tmp_path_factory.mktemp("work"))
    said = dynsearch(*arguments(*QUICK), cwd=folder)
    assert "thresholds are fitted to 24 videos, cross-fitted over folds" in said.out
    assert "5 networks of folds" in said.out
    dynsearch_here("export", "sthv2", "--output", "bundle", "--data-root", "data", cwd=folder)
    return folder


def test_a_study_and_a_full_training_calibrate_on_training_videos_too(work):
    dynsearch_here("train", "bundle", "--output", "trained", "--data-root", "data", cwd=work)
    one, other = (
        ExitScores.load(work / at / "scores-calibration.npz") for at in ("studies/sthv2/trials/0", "trained")
    )
    assert one.num_videos == other.num_videos == 24
    assert sorted(one.video_ids_N) == sorted(map(str, range(1, 25)))
    assert (one.logits_ENK == other.logits_ENK).all()
    assert json.loads((work / "trained/contents.json").read_text()) == json.loads(
        (work / "bundle/contents.json").read_text()
    )
    assert not list(work.glob("**/folds/*/*.safetensors"))
    again = dynsearch_here("train", "bundle", "--output", "trained", "--data-root", "data", cwd=work)
    assert "trained already" in again.out
    split = ("--set", "calibration=split")
    refused = dynsearch_here("train", "bundle", "--output", "trained", *DATA[2:4], *split, cwd=work, code=2)
    assert "was made otherwise: calibration" in refused.err


@pytest.mark.reliability(
    "Statistics",
    "`calibration: folds` with weights that have seen the training videos",
    happens="is refused: thresholds can't be fitted to these videos then",
    sees="`Add --set calibration=split`",
)
@pytest.mark.parametrize("how", [("--warm-start",), ("--only", "heads")])
def test_weights_that_have_seen_the_videos_are_refused(work, how):
    refused = dynsearch_here("train", "bundle", "--output", "other", *DATA[2:4], *how, cwd=work, code=2)
    assert "Add --set calibration=split" in refused.err
    assert not (work / "other").exists()
