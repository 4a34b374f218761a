"""Studies from Python, in real processes on real videos; and the same study from the command line."""

import json
import os
import shutil
from itertools import product

import pandas
import pytest

import dynsearch
from dynsearch.errors import InfeasibleBudgetError, InputError, RecipeError, StudyError
from tests.cli.miniature import write_webm
from tests.cli.miniature_study import prepared
from tests.cli.runner import dynsearch_here
from tests.warm import Warm

SETTINGS = {
    "space": "space.yaml", "strategy": "retrain", "num_trials": 2, "calibration_fraction": 0.25,
    "training.epochs": 1, "training.batch_size": 6, "training.pretrained": False,
}  # fmt: skip
RUN = dynsearch.RunSettings(num_workers=0)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with videos and a search space, in which everything runs."""
    with pytest.MonkeyPatch.context() as patch:
        folder = prepared(tmp_path_factory.mktemp("api"))
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def study(work, told):
    return dynsearch.run_study(
        "sthv2", 40, settings=SETTINGS, run=RUN, data_root="data", name="mine", progress=told.append
    )


def test_a_study_says_what_it_found_and_tells_its_steps(study, told, work):
    assert (study.name, study.recipe.dataset, study.recipe.budget) == ("mine", "sthv2", 40)
    assert sorted({point.key for point in study.points} | {0, 1}) == [0, 1]
    best = study.best_under(max_gflops=40)
    assert best == study.best_under() == study.points[-1]
    assert study.plan(best).plan_id == best.test.plan_id
    with pytest.raises(InfeasibleBudgetError):
        study.best_under(1e-9)
    assert (work / "studies/mine/report.html").is_file()

    kinds = [(event.kind, event.trial) for event in told if event.kind != "note"]
    assert kinds == [(kind, trial) for trial, kind in product((0, 1), ("started", "epoch", "ended"))]
    ended = [event for event in told if event.kind == "ended"]
    assert all(event.text.startswith(f"trial {event.trial}: top-1") for event in ended)
    assert all(0 <= event.point.top1 <= 1 for event in ended)
    assert [(e.epoch, e.num_epochs) for e in told if e.kind == "epoch"] == [(1, 1), (1, 1)]


def test_the_same_call_goes_on_and_so_does_the_command(study, work):
    events = []
    again = dynsearch.run_study(
        "sthv2", 40, settings=SETTINGS, run=RUN, data_root="data", name="mine", progress=events.append
    )
    assert not [event for event in events if event.kind == "started"]
    assert again.to_pandas().equals(study.to_pandas())
    with pytest.raises(StudyError, match=r"was begun with other settings: training.epochs was 1, now 2"):
        dynsearch.run_study(
            "sthv2",
            40,
            settings=SETTINGS | {"training.epochs": 2},
            data_root="data",
            name="mine",
            progress=False,
        )
    typed = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={json.dumps(value)}")]
    said = dynsearch_here(
        "study", "--dataset", "sthv2", "--data-root", "data", "--max-gflops", "40", "--name", "mine", "--json",
        "--set", "run.num_workers=0", *typed, cwd=work,
    ).json  # fmt: skip
    rows = [{key: row[key] for key in study.to_pandas().columns} for row in said["frontier"]]
    assert pandas.DataFrame(rows).equals(study.to_pandas())


@pytest.mark.reliability(
    "Statistics",
    "the data set changes between two runs of a study: videos gone, new, relabelled, renamed, replaced or moved to "
    "another split",
)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: _without_test_videos(root, 3), "3 videos gone in test, first 34, 35, 36"),
        (
            lambda root: shutil.copy(_video(root, 1), _video(root, 30)),
            "1 video with other content under the same name",
        ),
        (lambda root: _without_test_videos(root, 3, move=True), "moved from test to train, first "),
        (lambda root: _reordered_and_touched(root), None),
    ],
)
def test_a_data_set_that_changed_is_refused(study, work, tmp_path, change, message):
    root = shutil.copytree(work / "data", tmp_path / "data")
    change(root)
    typed = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={json.dumps(value)}")]
    told = dynsearch_here(
        "study", "--dataset", "sthv2", "--data-root", root, "--max-gflops", "40", "--name", "mine", *typed,
        "--set", "run.num_workers=0", cwd=work, code=2 if message else 0,
    )  # fmt: skip
    if message:
        assert "mine: its data set has changed since it began: " in told.err
        assert message in told.err
        assert "begin a new study with another --name" in told.err
    assert dynsearch.Study.open("mine").to_pandas().equals(study.to_pandas())


def _video(root, number):
    return root / "20bn-something-something-v2" / f"{number}.webm"


def _without_test_videos(root, count, *, move=False):
    lists = {part: root / "labels" / f"{part}.json" for part in ("train", "validation")}
    entries = {part: json.loads(path.read_text()) for part, path in lists.items()}
    gone = entries["validation"][-count:]
    lists["validation"].write_text(json.dumps(entries["validation"][:-count]))
    if move:
        lists["train"].write_text(json.dumps(entries["train"] + gone))


def _reordered_and_touched(root):
    for path in (root / "labels" / "train.json", root / "labels" / "validation.json"):
        path.write_text(json.dumps(json.loads(path.read_text())[::-1]))
    for path in root.rglob("*.webm"):
        os.utime(path, (1, 1))


def test_an_old_study_is_opened_and_exported(study, work):
    again = dynsearch.Study.open("mine")
    assert again.to_pandas().equals(study.to_pandas())
    bundle = again.export("net", max_gflops=40)
    answer = dynsearch.load(bundle, device="cpu").predict(next((work / "data").rglob("*.webm")))
    assert answer.label in bundle.class_names
    said = dynsearch_here("export", "mine", "--max-gflops", "40", "--output", "typed", cwd=work).out
    assert again.plan(again.best_under()).plan_id in said
    for name in ("plan.yaml", "policy.yaml", "labels.txt", "recipe.yaml", "weights.safetensors", "README.md"):
        assert (work / "net" / name).read_bytes() == (work / "typed" / name).read_bytes()


@pytest.mark.reliability(
    "Statistics",
    "a bundle is evaluated on its data set, which has changed since it was trained",
    happens="it is measured, with a warning: how many videos are new, and how many it was trained on",
    sees="`these are not the test videos of when it was trained: ... are gone, ... are new`, `of these videos were "
    "trained on`",
)
def test_a_bundle_says_that_its_data_have_changed(study, work, tmp_path):
    bundle, told = study.export("changed", max_gflops=40), []
    root = shutil.copytree(work / "data", tmp_path / "data")
    dynsearch.evaluate(bundle, data_root=root, run=RUN, warn=told.append)
    assert told == []

    _without_test_videos(root, 3)
    calibrated = study.results.scores[0][0].video_ids_N.tolist()
    trained = next(n for n in range(1, 25) if str(n) not in calibrated)
    shutil.copy(_video(root, trained), _video(root, 30))
    measured = dynsearch.evaluate(bundle, data_root=root, run=RUN, warn=told.append)

    assert measured.num_videos == 9
    assert told == [
        "1 of these videos were trained on, so that the figures are too good",
        "these are not the test videos of when it was trained: 4 are gone, 1 are new",
    ]


def test_it_shows_itself(study):
    assert repr(study).startswith("Study(mine: 2 trained plans, ")
    assert "<td>" in study._repr_html_()
    labels = [text.get_text() for text in study.plot().get_legend().get_texts()]
    assert "frontier, on test" in labels


def test_videos_listed_in_python_are_a_data_set(work):
    videos = []
    for number, label in enumerate(["left", "right"] * 12):
        path = work / "own" / f"{number}.webm"
        write_webm(path, (2 if label == "right" else -2, 0), seed=number)
        videos.append((path, label, "test" if number >= 16 else None))
    mine = dynsearch.add_dataset("my-videos", videos, calibration_fraction=0.25)
    assert dynsearch.add_dataset("my-videos", videos, calibration_fraction=0.25) is mine
    settings = SETTINGS | {"num_trials": 1, "training.flip": True}
    study = dynsearch.run_study(
        mine, 40, recipe="sthv2", name="own", settings=settings, run=RUN, progress=False
    )
    calibration, test = study.results.scores[0]
    assert set(test.video_ids_N) == {str(path) for path, _, split in videos if split == "test"}
    assert calibration.num_videos == 4
    bundle = study.export("own-net")
    assert bundle.class_names == ("left", "right")
    found = dynsearch.evaluate(bundle, run=RUN)
    assert (found.num_videos, found.top1) == (8, study.best_under().test.top1)
    assert dynsearch.evaluate(bundle, mine, split="calibration", run=RUN).num_videos == 4


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({}, InputError, "a study needs a data set, or a recipe"),
        ({"dataset": "nowhere"}, InputError, "there is no study recipe 'nowhere'"),
        ({"dataset": "motions", "settings": {"solver": "nonsens"}}, RecipeError, "nonsens"),
        ({"dataset": "motions", "settings": {"training.epochs": "many"}}, RecipeError, "training.epochs"),
        ({"dataset": "motions", "plugins": ["no_such_module"]}, InputError, "can't import 'no_such_module'"),
        ({"dataset": "motions", "max_gflops": -1}, RecipeError, "max_gflops"),
    ],
)
def test_wrong_calls_are_refused_at_once(work, given, error, says):
    with pytest.raises(InputError) as caught:
        dynsearch.run_study(**given)
    assert isinstance(caught.value, error)
    assert says in str(caught.value)


def test_a_script_that_workers_would_run_again_is_refused(work):
    (work / "script.py").write_text("import dynsearch\ndynsearch.run_study('motions', progress=False)\n")
    process = Warm.script("script.py", cwd=work)
    _, told = process.communicate()
    assert process.returncode == 1
    assert 'Put the call of run_study under `if __name__ == "__main__":`' in told
