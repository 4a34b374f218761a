"""A clock that jumps: nothing is ordered by the time of day."""

import datetime as datetimes
import random
import time

import optuna.storages._rdb.storage
import optuna.trial._frozen
import pytest

from dynsearch.report.html import render_report
from dynsearch.study.folder import StudyFolder
from dynsearch.study.report_files import read_facts
from tests.search.toy import InlineEngine, run, summary


def jumping():
    """Return a ``datetime`` class and a ``time`` function that jump by up to 30 years, and never the same way."""
    rng = random.Random(0)

    class Jumping(datetimes.datetime):
        @classmethod
        def now(cls, tz=None):
            jump = datetimes.timedelta(hours=rng.choice([-1, 0, 1, -24 * 365 * 30, 24 * 365 * 30]))
            return datetimes.datetime.now(tz) + jump

    own = time.time
    return Jumping, lambda: own() + rng.choice([-3600, 0, 3600, 2**31])


@pytest.mark.reliability(
    "Processes",
    "a clock that jumps by an hour, or past 2038",
    happens="the study and its report are the same",
)
def test_a_study_and_its_report_do_not_mind(tmp_path, monkeypatch):
    expected, _ = run(tmp_path / "undisturbed" / "s", engine=InlineEngine)
    day, clock = jumping()
    monkeypatch.setattr(optuna.storages._rdb.storage, "datetime", day)
    monkeypatch.setattr(time, "time", clock)
    study, _ = run(tmp_path / "jumping" / "s", engine=InlineEngine, num_trials=3)
    study, _ = run(tmp_path / "jumping" / "s", engine=InlineEngine)
    assert summary(study) == summary(expected)
    facts = read_facts(StudyFolder(tmp_path / "jumping" / "s"))
    assert all(trial.minutes is None or trial.minutes >= 0 for trial in facts.trials)
    assert any(trial.duration.total_seconds() < 0 for trial in study.get_trials())
    assert render_report(facts).endswith("</html>\n")
