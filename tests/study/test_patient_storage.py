"""A PostgreSQL server that goes away in the middle of a study and comes back: the study waits, says so, goes on."""

import signal
import threading
import time

import pytest

from dynsearch.errors import DynsearchError
from dynsearch.study import patient_storage
from dynsearch.study.folder import StudyFolder
from dynsearch.study.record import open_record
from dynsearch.study.storage_address import without_password
from tests import postgres
from tests.search.toy import InlineEngine, ToyEvaluator, run, summary

pytestmark = [
    pytest.mark.postgres,
    postgres.needed,
]


@pytest.fixture(scope="module")
def server():
    with postgres.running() as process, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSWORD", "overwritten")
        without_password(process.url)
        yield process


class Outage(ToyEvaluator):
    """The server ends in trial 2. It comes back at once, or some seconds after the study has said that it waits."""

    def __init__(self, server, number, seconds):
        super().__init__()
        self.server, self.number, self.away = server, number, seconds
        self.said = []
        self.noticed = threading.Event()
        self.repair = threading.Thread(target=self._repair)

    def __call__(self, job, monitor):
        if job.number == 2:
            self.server.stop(self.number)
            if self.away is None:
                self.server.start()
            else:
                self.repair.start()
        return super().__call__(job, monitor)

    def _repair(self):
        self.noticed.wait()
        time.sleep(self.away)
        self.server.start()

    def listen(self, monkeypatch):
        def warning(text, *values):
            self.said.append(text % values)
            self.noticed.set()

        monkeypatch.setattr(patient_storage._log, "warning", warning)


@pytest.mark.reliability(
    "Processes", "a database that goes away and comes back in the middle of a study",
    happens="the study waits, goes on and loses nothing; after ten minutes it ends, resumable",
    sees="`The database does not answer (...); waiting for it, up to 10 minutes.` and `The database answers "
    "again, after ... seconds.`",
)  # fmt: skip
@pytest.mark.parametrize(
    ("number", "seconds"),
    [(signal.SIGQUIT, None), (signal.SIGINT, 0), pytest.param(signal.SIGQUIT, 30, marks=pytest.mark.slow)],
    ids=["crashed", "stopped", "crashed-for-30-seconds"],
)
def test_the_study_waits_says_so_and_loses_nothing(tmp_path, server, monkeypatch, number, seconds):
    path = tmp_path / f"away-{number}-{seconds}"
    evaluator = Outage(server, number, seconds)
    evaluator.listen(monkeypatch)
    study, _ = run(path, evaluator, engine=InlineEngine, storage=without_password(server.url))
    expected, _ = run(tmp_path / "undisturbed", engine=InlineEngine)
    assert summary(study) == summary(expected)
    assert summary(open_record(StudyFolder(path))) == summary(expected)
    if seconds is not None:
        evaluator.repair.join()
        assert len(evaluator.said) == 2
        assert evaluator.said[0].startswith("The database does not answer (")
        assert evaluator.said[1].startswith("The database answers again, after ")
        assert postgres.PASSWORD not in " ".join(evaluator.said)


@pytest.mark.reliability("Processes", "a database that goes away and comes back in the middle of a study")
def test_after_a_long_time_the_study_ends_with_the_reason(tmp_path, server, monkeypatch):
    monkeypatch.setattr(patient_storage, "_SECONDS", 1.0)
    evaluator = Outage(server, signal.SIGINT, 0)
    evaluator.repair = threading.Thread()  # which does nothing
    with pytest.raises(DynsearchError, match="the database has not answered for .* minutes: ") as caught:
        run(tmp_path / "too-long", evaluator, engine=InlineEngine, storage=without_password(server.url))
    assert (caught.value.exit_code, caught.value.__cause__ is None) == (1, False)
    server.start()
    study, _ = run(tmp_path / "too-long", engine=InlineEngine, storage=without_password(server.url))
    assert summary(study) == summary(run(tmp_path / "undisturbed", engine=InlineEngine)[0])
