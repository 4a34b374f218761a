"""``dynsearch study list``, ``delete`` and ``restart``, and what is said of studies that have no results yet."""

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from dynsearch.data.identity import DataIdentity, VideoIdentity
from dynsearch.errors import InfeasibleBudgetError, StudyError
from dynsearch.search.run import ENGINES, run_study
from dynsearch.study.folder import StudyFolder
from dynsearch.study.origin import Origin
from dynsearch.study.record import finished, open_record
from dynsearch.study.storage_address import without_password
from tests import postgres
from tests.cli.runner import dynsearch_here
from tests.plans import small_plan
from tests.search.toy import SPACE, InlineEngine, Silent, ToyEvaluator, recipe_and_run, run


def study_in(path, trials=1, **changes):
    run(path, engine=InlineEngine, num_trials=trials, **{"max_gflops": 1} | changes)
    return StudyFolder(path)


@contextlib.contextmanager
def at_work(folder):
    """A driver, as another process would see it."""
    with folder.running():
        yield


def test_studies_are_listed(tmp_path):
    study_in(tmp_path / "studies" / "one", 2, seed=1)
    folder = study_in(tmp_path / "studies" / "list")
    open_record(folder).ask()
    (tmp_path / "studies" / "broken").mkdir()
    (tmp_path / "studies" / "broken" / "study.yaml").write_text("[")
    rows = {row["name"]: row for row in dynsearch_here("study", "list", "--json", cwd=tmp_path).json}
    assert list(rows) == ["broken", "list", "one"]
    assert "not readable as YAML" in rows["broken"]["problem"]
    assert {"dataset": "toy", "budget": 1, "done": 2, "failed": 0}.items() <= rows["one"].items()
    best = max(trial.values[0] for trial in finished(open_record(StudyFolder(tmp_path / "studies" / "one"))))
    assert rows["one"]["top1"] == best
    assert (rows["list"]["running"], rows["list"]["interrupted"]) == (0, 1)
    with at_work(folder):
        assert (
            "1 done, 1 running" in dynsearch_here("study", "--studies", "studies", "list", cwd=tmp_path).out
        )
    dynsearch_here("frontier", "list", cwd=tmp_path)  # a study's name is no command's
    assert (
        "There are no studies in empty" in dynsearch_here("study", "list", "--studies", "empty", cwd="/").out
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("motions",), "No such command 'motions'. A study is begun or resumed with --dataset"),
        (("--trials", "3", "delete", "s"), "--trials is for running a study; delete does not take it"),
        (("delete", "nowhere"), "there is no study 'nowhere'"),
        (("restart", "nowhere"), "there is no study 'nowhere'"),
    ],
)
def test_wrong_words_after_study(tmp_path, arguments, says):
    assert says in dynsearch_here("study", *arguments, cwd=tmp_path, code=2).err


@pytest.mark.reliability(
    "Files",
    "a study removed",
    happens="only after the question, never while a driver is at work; what it did not write stays",
    sees="`a driver is at work on it`; `removed, but for what it did not write: ...`",
)
@pytest.mark.parametrize("storage", ["sqlite", "journal", "shared"])
def test_a_study_is_removed(tmp_path, storage, monkeypatch):
    place = {"sqlite": None, "journal": "journal", "shared": f"journal:{tmp_path / 'log'}"}[storage]
    folder, other = (study_in(tmp_path / "studies" / name, storage=place) for name in ("s", "other"))
    for answer, code, words in (
        ("", 2, "nothing was removed. Give --yes"),
        ("n\n", 1, "Nothing was removed"),
    ):
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        assert words in dynsearch_here("study", "delete", "s", cwd=tmp_path, code=code).err
    with at_work(folder):
        assert (
            "a driver is at work" in dynsearch_here("study", "delete", "s", "--yes", cwd=tmp_path, code=2).err
        )
    (folder.path / "notes.txt").write_text("mine")
    said = dynsearch_here("study", "delete", "studies/s", "--yes", cwd=tmp_path).out
    assert "removed, but for what it did not write: notes.txt" in said
    assert os.listdir(folder.path) == ["notes.txt"]
    assert len(finished(open_record(other))) == 1
    assert [study.study_name for study in open_record(other)._storage.get_all_studies()] == ["other"]
    assert len(finished(open_record(study_in(folder.path, storage=place)))) == 1


def test_a_copy_is_removed_without_the_record_it_has_no_right_to(tmp_path):
    folder = study_in(tmp_path / "studies" / "s", storage=f"journal:{tmp_path / 'log'}")
    shutil.copytree(folder.path, tmp_path / "studies" / "copy")
    dynsearch_here("study", "delete", "copy", "--yes", cwd=tmp_path)
    assert os.listdir(tmp_path / "studies") == ["s"]
    assert len(finished(open_record(folder))) == 1


@pytest.mark.postgres
@postgres.needed
def test_a_record_on_a_server_is_renamed_and_removed_with_its_folder(tmp_path, monkeypatch):
    with postgres.server() as full:
        monkeypatch.setenv("PGPASSWORD", "overwritten")
        url = without_password(full)
        folder = study_in(tmp_path / "studies" / f"s-{os.getpid()}", storage=url)
        folder.path.rename(tmp_path / "studies" / "moved")
        moved = StudyFolder(tmp_path / "studies" / "moved")
        storage = open_record(moved)._storage
        assert len(finished(open_record(moved))) == 1
        with pytest.raises(StudyError, match="in this storage already, not of this folder"):
            study_in(folder.path, storage=url)  # the old name anew
        dynsearch_here("study", "delete", "moved", "--yes", cwd=tmp_path)
        assert [s.study_name for s in storage.get_all_studies()] == []


@pytest.mark.reliability(
    "Processes",
    "a study without results",
    happens="it is said to wait only while a driver is at work, else how it goes on, also after it was renamed",
    sees="`Nothing runs. It goes on with: ...`",
)
def test_the_way_on_of_a_study_without_results(tmp_path):
    folder = study_in(tmp_path / "studies" / "s", max_gflops=0.0174)
    study = open_record(folder)
    study._storage.delete_study(study._study_id)
    Origin(
        commands=["dynsearch study --dataset toy"], data_root="/data", class_names=["a"], num_videos={}
    ).add_to(folder)

    def said(name):
        return dynsearch_here("frontier", name, cwd=tmp_path, code=2).err

    assert said("s").endswith("Nothing runs. It goes on with: dynsearch study --dataset toy\n")
    folder.path.rename(tmp_path / "studies" / "a b")
    assert said("a b").endswith("goes on with: dynsearch study --dataset toy --name 'studies/a b'\n")
    with at_work(StudyFolder(tmp_path / "studies" / "a b")):
        assert "Wait for the first trial" in said("a b")


class Interrupted(InlineEngine):
    def collect(self, seconds):
        raise KeyboardInterrupt


def toy_identity():
    """The identity of the videos that the toy's scores are of."""
    names = ("a", "b", "c", "d")
    scores = {split: ToyEvaluator.draw(small_plan(), split) for split in ("calibration", "test")}
    return DataIdentity(
        names,
        {
            split: {
                video: VideoIdentity((names[label],), "")
                for video, label in zip(found.video_ids_N, found.labels_N, strict=True)
            }
            for split, found in scores.items()
        },
    )


@pytest.fixture
def run_toy(tmp_path, monkeypatch):
    """Runs the study ``s`` with a toy for what trains."""
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(SPACE.model_dump(mode="json")))

    def run_once(engine=InlineEngine, anew=False, **changes):
        monkeypatch.setitem(ENGINES, "local", lambda *_, **__: engine(ToyEvaluator()))
        chosen, how = recipe_and_run(
            space=str(tmp_path / "space.yaml"), strategy="retrain", num_trials=2, dataset="motions",
            **{"storage": "journal"} | changes,
        )  # fmt: skip
        source, observer = SimpleNamespace(num_classes=4, identity=toy_identity(), key={}), Silent()
        run_study(chosen, StudyFolder(tmp_path / "studies" / "s"), source, observer, run=how, anew=anew)
        return observer

    return run_once


@pytest.mark.reliability(
    "Numbers",
    "a budget or another setting corrected before anything was trained",
    happens="the study begins anew under its name; once something was trained, other settings are refused",
    sees="`was begun with other settings: ...; nothing was trained, so it begins anew`",
)
def test_corrected_settings_go_on_where_nothing_was_trained(tmp_path, run_toy):
    folder = StudyFolder(tmp_path / "studies" / "s")
    with pytest.raises(
        InfeasibleBudgetError, match="below the cheapest point, 0.00.* GFLOPs per video. Give at least"
    ):
        run_toy(max_gflops=0.001)
    assert not folder.study_file.exists()
    with pytest.raises(KeyboardInterrupt):
        run_toy(Interrupted, max_gflops=0.01)
    assert "nothing was trained, so it begins anew" in " ".join(run_toy(max_gflops=0.05, seed=8).notes)
    assert (folder.recipe().budget, folder.recipe().seed) == (0.05, 8)
    trained = finished(open_record(folder))
    assert len(trained) == len(open_record(folder).get_trials()) == 2
    with pytest.raises(StudyError, match=r"max_gflops was 0.05, now 0.06.*dynsearch study restart"):
        run_toy(max_gflops=0.06, seed=8)
    assert finished(open_record(folder)) == trained


def test_a_storage_that_cant_be_opened_leaves_no_study_behind(tmp_path, run_toy):
    (tmp_path / "wrong.db").write_text("no database at all, but a text")
    with pytest.raises(StudyError, match=r"wrong.db: its record can't be opened"):
        run_toy(storage=f"sqlite:///{tmp_path / 'wrong.db'}")
    run_toy(storage=f"sqlite:///{tmp_path / 'right.db'}")
    assert len(finished(open_record(StudyFolder(tmp_path / "studies" / "s")))) == 2


def test_a_study_begins_anew_only_when_no_driver_is_at_work(tmp_path, run_toy):
    run_toy()
    folder = StudyFolder(tmp_path / "studies" / "s")
    first, expected = folder.identity(), [t.params for t in finished(open_record(folder))]
    (folder.path / "notes.txt").write_text("mine")
    with at_work(folder), pytest.raises(StudyError, match="a driver is at work on it"):
        run_toy(anew=True)
    run_toy(anew=True)
    assert folder.identity() != first
    assert [t.params for t in finished(open_record(folder))] == expected
    assert (folder.path / "notes.txt").read_text() == "mine"


@pytest.mark.slow
@pytest.mark.reliability(
    "Processes",
    "Ctrl-C while a study starts and its processes import",
    happens="one line, and exit code 130",
    sees="`interrupted; run the same command again to go on`",
)
def test_interrupted_while_starting(tmp_path):
    command = [
        sys.executable,
        "-m",
        "dynsearch",
        "study",
        "--dataset",
        "motions",
        "--data-root",
        tmp_path / "data",
    ]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # A shell in the background has it ignored.
    )
    while not any(b"forkserver" in command_line for command_line in command_lines(process.pid)):
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes
    _, told = process.communicate(timeout=300)
    assert (process.returncode, told.split("\n")) == (
        130,
        ["", "", "dynsearch: interrupted; run the same command again to go on", ""],
    )


def command_lines(group):
    """Yield the command lines of the processes of a group."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getpgid(int(folder.name)) == group:
                yield (folder / "cmdline").read_bytes()
