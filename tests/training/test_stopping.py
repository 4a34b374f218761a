"""A batch system's SIGTERM: training saves the step under way, stops, and ends the same when gone on with."""

import os
import signal
import time

import pytest

from dynsearch.errors import Stopped
from dynsearch.training import stopping
from dynsearch.training.run import train_and_score
from tests.training.fakes import ArraySource, Steps
from tests.training.test_resume import EVERYTHING
from tests.training.test_training import PLAN, assert_same, read_all


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    train_and_score(PLAN, ArraySource(), EVERYTHING, folder, seed=1, save_every_steps=None)
    return read_all(folder)


@pytest.mark.parametrize(
    ("signalled_in", "done"),
    [
        (3, 4),  # In the first batch of a step of two: both are done first.
        (4, 4),
        (8, 8),  # The epoch's last.
        (16, 16),  # The last of all.
    ],
)
@pytest.mark.reliability("Processes", "SIGTERM to all processes of a study or training")
def test_training_stops_after_the_step_under_way_and_ends_the_same(
    monkeypatch, tmp_path, whole, signalled_in, done
):
    steps = Steps(monkeypatch, at={signalled_in: lambda: os.kill(os.getpid(), signal.SIGTERM)})
    with pytest.raises(Stopped), stopping.stopped_by_sigterm():
        train_and_score(PLAN, ArraySource(), EVERYTHING, tmp_path, seed=1, save_every_steps=None)
    assert steps.count == done
    train_and_score(PLAN, ArraySource(), EVERYTHING, tmp_path, seed=1, save_every_steps=None)
    assert steps.count == 16
    assert_same(whole, read_all(tmp_path))


def test_scoring_stops_and_training_is_not_done_again(monkeypatch, tmp_path, whole):
    steps = Steps(monkeypatch)
    told = []

    def tell(report):
        if report.phase == "scoring test" and not told:
            told.append(report)
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped), stopping.stopped_by_sigterm():
        train_and_score(
            PLAN, ArraySource(), EVERYTHING, tmp_path, seed=1, save_every_steps=None, on_step=tell
        )
    assert not (tmp_path / "scores-test.npz").exists()
    train_and_score(PLAN, ArraySource(), EVERYTHING, tmp_path, seed=1, save_every_steps=None)
    assert steps.count == 16
    assert_same(whole, read_all(tmp_path))


@pytest.mark.reliability("Processes", "SIGTERM to all processes of a study or training")
def test_what_does_not_look_is_ended_some_seconds_later(monkeypatch):
    monkeypatch.setattr(stopping, "_SECONDS", 0.05)
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)]
    with pytest.raises(Stopped), stopping.stopped_by_sigterm():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)  # To the process and to its group.
        while True:
            time.sleep(0.01)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)] == before
    assert not stopping.stop_wanted()
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
