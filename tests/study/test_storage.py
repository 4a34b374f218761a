"""Several drivers on one study, on each kind of storage; journals cut off in a line; passwords."""

import json
import os

import pytest
from optuna.trial import TrialState
from sqlalchemy import event
from sqlalchemy.engine import Engine

from dynsearch.errors import RecipeError, StudyError
from dynsearch.search.claims import Claims
from dynsearch.search.engines import slot
from dynsearch.study.folder import StudyFolder
from dynsearch.study.recipe_file import load_recipe
from dynsearch.study.record import finished, open_record, plan_of
from dynsearch.study.storage_address import without_password
from tests import postgres
from tests.search.toy import InlineEngine, ToyEvaluator, evaluated, run, summary
from tests.warm import Warm


@pytest.fixture(scope="module")
def url():
    """A PostgreSQL server, with the password handled as the command does."""
    with postgres.server() as full, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSWORD", "overwritten")
        yield without_password(full)


@pytest.fixture(
    params=["sqlite", "journal", pytest.param("postgres", marks=[pytest.mark.postgres, postgres.needed])]
)
def storage(request, tmp_path):
    if request.param == "postgres":
        return request.getfixturevalue("url")
    return {"sqlite": None, "journal": "journal"}[request.param]


def drive(path, storage, num_trials):
    @event.listens_for(Engine, "connect")
    def write_lazily(connection, _):
        if storage is None:  # SQLite: the same locks, without waiting for the disk 30 times a trial
            connection.execute("PRAGMA synchronous=OFF")

    run(path, engine=InlineEngine, num_trials=num_trials, storage=storage, max_gflops=1)


@pytest.mark.slow
def test_four_processes_on_one_study_lose_nothing_and_evaluate_nothing_twice(tmp_path, storage):
    path, num_trials = tmp_path / f"shared-{os.getpid()}", 60
    drivers = [Warm.calls(drive, path, storage, num_trials) for _ in range(4)]
    assert [driver.wait() for driver in drivers] == [0] * 4
    trials = open_record(StudyFolder(path)).get_trials()
    done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    assert [trial.number for trial in trials] == list(range(len(trials)))
    assert {trial.state for trial in trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert len(done) == num_trials
    assert sorted(evaluated(path)) == [trial.number for trial in done]
    assert len({plan_of(trial).plan_id for trial in done}) == num_trials


@pytest.mark.reliability("Determinism", "another storage", happens="the same study")
def test_every_storage_gives_the_same_study(tmp_path, storage):
    name = f"same-{os.getpid()}"
    study, _ = run(tmp_path / name, engine=InlineEngine, storage=storage)
    expected, _ = run(tmp_path / "expected", engine=InlineEngine)
    assert summary(study) == summary(expected)
    assert summary(open_record(StudyFolder(tmp_path / name))) == summary(expected)
    with pytest.raises(StudyError, match="the study has no trials yet"):
        open_record(StudyFolder(tmp_path / "nowhere"))


@pytest.mark.reliability(
    "Processes",
    "a trial that another driver has, or left behind",
    happens="is left alone while that driver lives, and taken up when it is gone",
)
def test_a_trial_that_another_driver_has_is_left_alone(tmp_path):
    """A trial RUNNING in the record is taken up only when its driver is gone."""
    path = tmp_path / "s"

    class Elsewhere(InlineEngine):
        def collect(self, seconds):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(path, engine=Elsewhere, num_trials=3, max_gflops=1)
    ready, theirs = slot._CONTEXT.Pipe()
    other = slot._CONTEXT.Process(target=hold, args=(path, theirs))
    other.start()
    assert ready.recv() is True
    study, _ = run(path, engine=InlineEngine, num_trials=3, max_gflops=1)
    assert [trial.state for trial in study.trials] == [
        TrialState.RUNNING,
        TrialState.COMPLETE,
        TrialState.COMPLETE,
    ]
    other.kill()
    other.join()
    study, _ = run(path, engine=InlineEngine, num_trials=3, max_gflops=1)
    assert [trial.number for trial in finished(study)] == [0, 1, 2]
    assert evaluated(path) == [1, 2, 0]


def hold(path, connection):
    claims = Claims(path)
    connection.send(claims.take(0))
    connection.recv()


@pytest.mark.parametrize("tail", ['{"op_code": 4, "wor', '{"op_code": 4}'])
@pytest.mark.reliability(
    "Processes",
    "a journal cut off in a line",
    happens="the torn line is taken off and the file as it was kept beside it; the study goes on",
)
def test_a_journal_whose_last_line_was_cut_off_goes_on(tmp_path, tail):
    path = tmp_path / "s"
    run(path, engine=InlineEngine, num_trials=3, storage="journal")
    journal = path / "journal.log"
    whole = journal.read_text()
    journal.write_text(whole + tail)
    study, _ = run(path, engine=InlineEngine, num_trials=5, storage="journal")
    assert journal.read_text().startswith(whole)
    assert all(json.loads(line) for line in journal.read_text().splitlines())
    assert (path / "journal.log.torn").read_text() == whole + tail
    assert summary(study) == summary(run(tmp_path / "undisturbed", engine=InlineEngine, num_trials=5)[0])


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("journal", "journal"),
        ("journal:log", "journal:{here}/log"),
        ("sqlite:///a.db", "sqlite:///{here}/a.db"),
        ("postgresql://me:pass%40word@host:5433/db", "postgresql://me@host:5433/db"),
        ("postgresql://me@host/db?password=pass%40word&port=1", "postgresql://me@host/db?port=1"),
        (
            "postgresql+psycopg://me@host/db?sslmode=require",
            "postgresql+psycopg://me@host/db?sslmode=require",
        ),
    ],
)
def test_what_is_recorded_of_a_storage(given, kept, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PGPASSWORD", "before")
    assert without_password(given) == kept.format(here=tmp_path)
    assert os.environ["PGPASSWORD"] == ("pass@word" if "pass" in given else "before")


@pytest.mark.parametrize(
    "given",
    ["mysql://me:hidden@host/db", "nonsense:hidden", "postgresql://me:hidden@host/db",
     "postgresql://me@host/db?password=hidden", "postgresql://me@host/db?sslpassword=hidden"],
)  # fmt: skip
@pytest.mark.reliability("Security", "a password in --storage")
def test_a_recipe_neither_takes_nor_repeats_a_password(given):
    with pytest.raises(RecipeError, match="storage: ") as caught:
        load_recipe("motions", settings=[f"storage={given}"])[0]
    assert "hidden" not in str(caught.value)


@pytest.mark.postgres
@postgres.needed
@pytest.mark.reliability("Security", "a password in --storage")
def test_a_password_is_in_no_file_and_in_no_message(tmp_path, url, monkeypatch):
    path = tmp_path / f"secret-{os.getpid()}"
    run(path, engine=InlineEngine, num_trials=1, storage=url)
    for file in path.rglob("*"):
        assert not file.is_file() or postgres.PASSWORD.encode() not in file.read_bytes()
    for password in ("wrong", ""):
        monkeypatch.setenv("PGPASSWORD", password)
        with pytest.raises(StudyError, match="PGPASSWORD or ~/.pgpass") as caught:
            open_record(StudyFolder(path))
        assert postgres.PASSWORD not in str(caught.value)


def test_recorded_storages_are_found_again_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(
        tmp_path / "s",
        ToyEvaluator(),
        engine=InlineEngine,
        num_trials=1,
        storage=without_password("journal:log"),
    )
    monkeypatch.chdir("/")
    assert len(finished(open_record(StudyFolder(tmp_path / "s")))) == 1
