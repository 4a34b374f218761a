"""The whole circle on a miniature Something-Something v2, with the real command in real processes."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml

from dynsearch.scores import ExitScores
from tests.cli.miniature import write_sthv2
from tests.cli.runner import dynsearch

SPACE = {
    "backbones": ["test_resnet"],
    "frames": [{"num_frames": 4, "num_sets": 4}],
    "image_sizes": [48],
    "frame_orders": ["sequential", "paper"],
    "exits": {"min_exits": 2, "max_exits": 3, "min_depth": 3, "max_depth": 5},
}
SMALL = (
    "--space", "space.yaml", "--set", "training.epochs=2", "--set", "training.batch_size=6",
    "--set", "training.pretrained=false", "--set", "training.num_workers=0", "--set", "calibration_fraction=0.25",
)  # fmt: skip


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with the data, a small search space, and a finished study called ``sthv2``."""
    folder = tmp_path_factory.mktemp("work")
    write_sthv2(folder / "data")
    (folder / "space.yaml").write_text(yaml.safe_dump(SPACE))
    study(folder)
    return folder


def arguments(*more, data="data"):
    return (
        "study",
        "--dataset",
        "sthv2",
        "--data-root",
        data,
        "--max-gflops",
        "40",
        "--strategy",
        "retrain",
        "--trials",
        "3",
        *SMALL,
        *more,
    )


def study(folder, *more, code=0):
    return dynsearch(*arguments(*more), cwd=folder, code=code)


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_study_leaves_what_the_contract_says(work):
    folder = work / "studies" / "sthv2"
    recorded = yaml.safe_load((folder / "study.yaml").read_text())
    assert recorded["recipe"]["training"]["epochs"] == 2
    assert recorded["recipe"]["max_gflops"] == 40
    assert {"torch", "timm", "optuna", "dynsearch"} <= set(recorded["versions"])
    assert (folder / "study.db").is_file()
    assert (folder / "frontier.png").read_bytes().startswith(b"\x89PNG")
    for trial in range(3):
        names = {path.name for path in (folder / "trials" / str(trial)).iterdir()}
        assert names == {
            "plan.yaml", "weights.safetensors", "scores-calibration.npz", "scores-test.npz", "metrics.jsonl",
            "tensorboard", "frontier.png", "grid.png",
        }  # fmt: skip
    assert (folder / "report.html").read_text().endswith("</html>\n")
    origin = yaml.safe_load((folder / "origin.yaml").read_text())
    assert origin["commands"] == [" ".join(["dynsearch", *arguments()])]
    assert (len(origin["class_names"]), origin["num_videos"]["test"]) == (3, 12)
    assert [row for row in rows(folder / "frontier.csv") if float(row["calibration_gflops"]) > 40] == []


def test_splits_are_disjoint_and_complete(work):
    trial = work / "studies" / "sthv2" / "trials" / "0"
    calibration, test = (ExitScores.load(trial / f"scores-{split}.npz") for split in ("calibration", "test"))
    assert (calibration.num_videos, test.num_videos) == (6, 12)
    assert not set(calibration.video_ids_N) & set(test.video_ids_N)


def test_the_same_command_again_trains_nothing_and_changes_nothing(work):
    path = work / "studies" / "sthv2" / "frontier.csv"
    before = path.read_text()
    started = {p: p.stat().st_mtime_ns for p in (work / "studies/sthv2/trials").rglob("weights.safetensors")}
    study(work)
    assert path.read_text() == before
    assert started == {p: p.stat().st_mtime_ns for p in started}


def test_frontier_as_json_equals_the_file(work):
    printed = dynsearch("frontier", "sthv2", "--json", cwd=work).json
    written = rows(work / "studies" / "sthv2" / "frontier.csv")
    assert [row["plan_id"] for row in printed["frontier"]] == [row["plan_id"] for row in written]
    assert printed["point"] in printed["frontier"]
    assert printed["num_trials"] == 3


def test_frontier_draws_a_vector_picture(work):
    dynsearch("frontier", "sthv2", "--plot", "frontier.svg", cwd=work)
    assert "<svg" in (work / "frontier.svg").read_text()
    assert "--plot" in dynsearch("frontier", "sthv2", "--plot", "frontier.docx", cwd=work, code=2).err


def test_export_train_evaluate_and_predict_close_the_circle(work):
    dynsearch("export", "sthv2", "--output", "bundle", "--data-root", "data", cwd=work)
    assert {path.name for path in (work / "bundle").iterdir()} == {
        "plan.yaml", "weights.safetensors", "policy.yaml", "labels.txt", "README.md", "recipe.yaml",
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
        assert measured["gflops"] == pytest.approx(scores.gmacs_E[exit_N].mean())
        assert measured["top1"] == pytest.approx(scores.correct()[exit_N, range(len(exit_N))].mean())

    video = "data/20bn-something-something-v2/30.webm"
    answer = dynsearch("predict", "trained", video, "--json", cwd=work).json
    classes = (work / "trained" / "labels.txt").read_text().splitlines()
    assert answer["label"] in classes
    index = list(scores.video_ids_N).index("30")
    assert answer["label"] == classes[scores.logits_ENK[exit_N[index], index].argmax()]
    assert answer["gflops"] == pytest.approx(scores.gmacs_E[exit_N[index]])
    assert len(answer["top5"]) == 3


def test_warm_start_begins_with_the_bundles_weights(work):
    dynsearch("export", "sthv2", "--output", "cold", "--data-root", "data", cwd=work)
    dynsearch(
        "train", "cold", "--output", "warm", "--warm-start", "--data-root", "data", "--epochs", "1",
        "--set", "training.learning_rate=1e-12", cwd=work,
    )  # fmt: skip
    from dynsearch.training.weights import read_tensors

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
    changes = [item for item in SMALL if item not in ("--space", "space.yaml")]
    printed = dynsearch(
        "train",
        "plan.yaml",
        "--dataset",
        "sthv2",
        "--data-root",
        "data",
        "--output",
        "alone",
        *changes,
        "--json",
        cwd=work,
    ).json
    # The same plan, seed and settings give the same network as in the study.
    ours, theirs = (
        ExitScores.load(path / "scores-test.npz")
        for path in (work / "alone", work / "studies/sthv2/trials/0")
    )
    assert printed["plan_id"] == ours.plan_id
    assert printed["test_top1_low"] <= printed["test_top1"] <= printed["test_top1_high"]
    np.testing.assert_array_equal(ours.logits_ENK, theirs.logits_ENK)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
@pytest.mark.reliability(
    "Processes",
    "Ctrl-C, or kill -9 of the real command while it trains",
    happens="the same command goes on to the same frontier; Ctrl-C exits with 130",
    sees="run the same command again to go on",
)
def test_ended_while_training_the_study_goes_on(work, number):
    name = f"ended-{number}"
    command = [sys.executable, "-m", "dynsearch.cli", *arguments("--name", name)]
    process = subprocess.Popen(
        command, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    state = work / "studies" / name / "trials/1/training-state.safetensors"
    limit = time.monotonic() + 120
    while not state.exists():
        assert process.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.005)
    if number == signal.SIGKILL:
        process.kill()
        process.wait()
    else:
        os.killpg(process.pid, number)  # as a terminal does: to the driver and its workers
        _, told = process.communicate()
        assert process.returncode == 130
        assert "run the same command again to go on" in told
        assert "Traceback" not in told
    study(work, "--name", name)
    ended, undisturbed = (work / "studies" / one / "frontier.csv" for one in (name, "sthv2"))
    assert ended.read_text() == undisturbed.read_text()


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("study",), "Give --dataset"),
        (
            ("study", "--dataset", "sthv3"),
            "there is no study recipe 'sthv3'. Shipped: activitynet, ",
        ),
        (
            arguments("--set", "training.epochs=0"),
            "training.epochs: Input should be greater than or equal to 1",
        ),
        (arguments("--set", "training.epoch=3"), "training.epoch: unknown field"),
        (arguments("--set", "epochs"), "can't read 'epochs'. Write field=value"),
        (arguments("--space", "nowhere.yaml"), "nowhere.yaml"),
        (arguments("--max-gflops", "0.0001", "--name", "tight"), "below the cheapest point"),
        (arguments("--max-gflops", "nan", "--name", "nan"), "max_gflops"),
        (
            arguments("--set", "training.epochs=3"),
            "was begun with other settings: training.epochs was 2, now 3",
        ),
        (arguments("--name", "../up"), "'../up' can't name a study"),
        (
            arguments("--set", "training.weights=nowhere.pth", "--name", "noweights"),
            "nowhere.pth: there is no such",
        ),
        (("frontier", "nowhere"), "there is no study 'nowhere' in studies. Studies: "),
        (("export", "sthv2", "--max-gflops", "0.0001", "--output", "x"), "below the cheapest point"),
        (("evaluate", "data"), "data: is no bundle: plan.yaml, weights.safetensors"),
        (("predict", "data", "video.mp4"), "data: is no bundle"),
        (("train", "space.yaml", "--output", "x"), "needs --dataset"),
        (("train", "space.yaml", "--dataset", "motions", "--output", "x"), "space.yaml: plan: unknown field"),
        (("cost",), "Give either a plan file or --backbone"),
        (("cost", "--backbone", "resnet5"), "timm has no model 'resnet5'. Nearest: resnet"),
        (("cost", "nowhere.yaml"), "nowhere.yaml: can't be read"),
        (("dashboard", "nowhere"), "there is no study 'nowhere'"),
    ],
    ids=lambda value: " ".join(value)[-40:] if isinstance(value, tuple) else "",
)
def test_mistakes_are_one_message_and_exit_code_2(work, command, says):
    result = dynsearch(*command, cwd=work, code=2)
    assert says in result.err
    assert not (work / "x").exists()


def test_without_the_data_one_message_says_what_is_missing_and_how_to_get_it(tmp_path):
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(SPACE))
    result = dynsearch(*arguments(data="nowhere"), cwd=tmp_path, code=2)
    for part in (
        "train",
        "validation",
        "labels",
        "20bn-something-something-v2",
        str(tmp_path / "nowhere"),
        "Download",
    ):
        assert part in result.err
    assert result.err.count("dynsearch:") == 1
