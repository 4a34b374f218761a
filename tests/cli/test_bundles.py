"""From a study's best plan to a bundle that is trained, measured and run, with the real command in real processes."""

import json
import shutil

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

from dynsearch.scores import ExitScores
from tests.cli.miniature_study import DATA, QUICK, studied
from tests.cli.runner import dynsearch, dynsearch_here
from tests.training.test_made import contents, stripped

TESTS = ("dynsearch.cli.evaluate", "dynsearch.cli.train")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with the data, a small search space, and a finished study called ``sthv2``."""
    return studied(tmp_path_factory.mktemp("work"))


def test_export_train_evaluate_and_predict_close_the_circle(work):
    dynsearch("export", "sthv2", "--output", "bundle", "--data-root", "data", cwd=work)
    assert {path.name for path in (work / "bundle").iterdir()} == {
        "plan.yaml", "weights.safetensors", "policy.yaml", "labels.txt", "README.md", "recipe.yaml", "contents.json",
        "promise.json",
    }  # fmt: skip
    exported = dynsearch("evaluate", "bundle", "--data-root", "data", "--json", cwd=work).json
    chosen = dynsearch("frontier", "sthv2", "--json", cwd=work).json["point"]
    assert exported["top1"] == pytest.approx(chosen["test_top1"])
    assert exported["gflops"] == pytest.approx(chosen["test_gflops"])

    dynsearch("train", "bundle", "--output", "trained", "--data-root", "data", "--epochs", "3", cwd=work)
    for split in ("calibration", "test"):
        measured = dynsearch(
            "evaluate", "trained", "--split", split, "--data-root", "data", "--json", cwd=work
        ).json
        scores = ExitScores.load(work / "trained" / f"scores-{split}.npz")
        policy = yaml.safe_load((work / "trained" / "policy.yaml").read_text())
        exit_N = np.array(
            [
                next(k for k, t in enumerate(policy["thresholds"]) if c_E[k] > t)
                for c_E in scores.confidence().T
            ]
        )
        assert measured["gflops"] == pytest.approx(scores.cost_E[exit_N].mean())
        assert measured["top1"] == pytest.approx(scores.correct()[exit_N, range(len(exit_N))].mean())

    video = "data/20bn-something-something-v2/30.webm"
    answer = dynsearch("predict", "trained", video, "--json", cwd=work).json
    classes = (work / "trained" / "labels.txt").read_text().splitlines()
    assert answer["label"] in classes
    index = list(scores.video_ids_N).index("30")
    assert answer["label"] == classes[scores.logits_ENK[exit_N[index], index].argmax()]
    assert answer["gflops"] == pytest.approx(scores.cost_E[exit_N[index]])
    assert len(answer["top5"]) == 3


@pytest.mark.reliability(
    "Determinism",
    "`dynsearch train` again with the same --output and other settings, after it has ended",
    happens="is refused, and nothing is recorded; with the same settings it says so, and trains nothing",
    sees="`...: trained already, top-1 ...`",
)
def test_training_again_is_refused_or_said(work):
    dynsearch("export", "sthv2", "--output", "net", "--data-root", "data", cwd=work)
    train = ("train", "net", "--output", "once", "--data-root", "data", "--epochs", "1")
    told = dynsearch_here(*train, cwd=work).out
    assert "trained already" not in told
    before = contents(work / "once")
    for options, says in (
        (("--epochs", "2"), "training.epochs was 1, now 2"),
        (("--seed", "3"), "seed was 0, now 3"),
        (("--set", "training.dropout=0.1"), "training.dropout was 0.5, now 0.1"),
        (("--set", "calibration_fraction=0.5"), "videos was "),
        (("--weights", "nope.pth"), "nope.pth: there is no such weights file"),
        (("--warm-start",), "start was None, now {'weights'"),
    ):
        assert says in dynsearch_here(*train, *options, cwd=work, code=2).err
        assert contents(work / "once") == before
    assert (
        "once: trained already, top-1" in dynsearch_here(*train, "--set", "run.num_workers=1", cwd=work).out
    )
    assert contents(work / "once") == before
    # The budget decides thresholds, which are solved again, but no weights.
    assert dynsearch_here(*train, "--max-gflops", "30", "--json", cwd=work).json["trained_already"]
    assert yaml.safe_load((work / "once" / "recipe.yaml").read_text())["max_gflops"] == 30
    shutil.rmtree(work / "old", ignore_errors=True)
    stripped(work / "once", work / "old")
    (work / "old" / "README.md").unlink()  # It says that the weights are others now.
    train = (*train[:3], "old", *train[4:])
    assert (
        "recipe.yaml: was made otherwise: training.epochs was 1, now 2"
        in dynsearch_here(*train, "--epochs", "2", cwd=work, code=2).err
    )
    assert "trained already (as far as recipe.yaml tells), top-1" in dynsearch_here(*train, cwd=work).out


def test_heads_alone_are_fitted_on_a_bundles_backbone(work):
    if not (work / "bundle").exists():
        dynsearch("export", "sthv2", "--output", "bundle", "--data-root", "data", cwd=work)
    what = (
        "train",
        "bundle",
        "--only",
        "heads",
        "--head",
        "slots",
        "--head",
        "linear",
        "--data-root",
        "data",
    )
    first = dynsearch(*what, "--output", "heads", "--json", cwd=work).json
    assert not first["trained_already"]
    assert dynsearch(*what, "--output", "heads", "--json", cwd=work).json == first | {"trained_already": True}
    measured = dynsearch("evaluate", "heads", "--data-root", "data", "--json", cwd=work).json
    assert measured["top1"] == pytest.approx(first["test_top1"])
    before, after = (load_file(work / name / "weights.safetensors") for name in ("bundle", "heads"))
    assert all((after[name] == value).all() for name, value in before.items() if name.startswith("backbone"))
    assert yaml.safe_load((work / "heads/plan.yaml").read_text()).get("head", "linear") in ("slots", "linear")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--head", "slots"), "--head goes with --only heads"),
        (("--only", "heads", "--nproc", "2"), "the work of one process"),
        (("--only", "heads", "--epochs", "2"), "are of a training"),
        (("--only", "heads", "--warm-start"), "are of a training"),
        (("--only", "heads", "--head", "slotz"), "Did you mean slots?"),
    ],
)
def test_wrong_wishes_for_heads_are_refused(work, given, says):
    if not (work / "bundle").exists():
        dynsearch("export", "sthv2", "--output", "bundle", "--data-root", "data", cwd=work)
    run = dynsearch_here(
        "train", "bundle", "--output", "never", "--data-root", "data", *given, cwd=work, code=2
    )
    assert says in run.err
    assert not (work / "never").exists()


def test_warm_start_begins_with_the_bundles_weights(work):
    dynsearch("export", "sthv2", "--output", "cold", "--data-root", "data", cwd=work)
    dynsearch(
        "train", "cold", "--output", "warm", "--warm-start", "--data-root", "data", "--epochs", "1",
        "--set", "training.learning_rate=1e-12", cwd=work,
    )  # fmt: skip
    from dynsearch.network.weights.files import read_tensors

    cold, warm = (read_tensors(work / name / "weights.safetensors") for name in ("cold", "warm"))
    trained = [name for name in cold if "running" not in name and "num_batches" not in name]
    assert all(np.allclose(cold[name], warm[name], atol=1e-6) for name in trained)


def test_predict_goes_on_after_a_video_it_cannot_read(work):
    if not (work / "bundle").exists():
        dynsearch("export", "sthv2", "--output", "bundle", "--data-root", "data", cwd=work)
    (work / "broken.mp4").write_bytes(b"no video")
    good = "data/20bn-something-something-v2/1.webm"
    result = dynsearch("predict", "bundle", "broken.mp4", good, "--json", cwd=work, code=1)
    first, second = map(json.loads, result.out.splitlines())
    assert "broken.mp4" in first["error"]
    assert second["label"]


def test_a_plan_file_is_trained_by_the_data_sets_recipe(work):
    shutil.copy(work / "studies/sthv2/trials/0/plan.yaml", work / "plan.yaml")
    printed = dynsearch("train", "plan.yaml", *DATA, "--output", "alone", *QUICK, "--json", cwd=work).json
    # The same plan, seed and settings give the same network as in the study.
    ours, theirs = (
        ExitScores.load(path / "scores-test.npz")
        for path in (work / "alone", work / "studies/sthv2/trials/0")
    )
    assert printed["plan_id"] == ours.plan_id
    assert printed["test_top1_low"] <= printed["test_top1"] <= printed["test_top1_high"]
    np.testing.assert_array_equal(ours.logits_ENK, theirs.logits_ENK)
