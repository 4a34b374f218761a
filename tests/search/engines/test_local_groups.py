"""The local engine's trials that two processes train together."""

import functools
import os
import signal
import time

import pytest
from optuna.trial import TrialState

from dynsearch.errors import Stopped
from dynsearch.search.engines import LocalEngine, slot
from dynsearch.training.ranks import Ranks
from dynsearch.training.stopping import stop_wanted
from tests.search.engines.as_one import assert_trained_as_by_one
from tests.search.engines.test_local import when
from tests.search.test_halving import ASHA, TOY
from tests.search.toy import ToyEvaluator, evaluations, run, summary

PAIRS = functools.partial(LocalEngine, workers_per_trial=2)
slot._CONTEXT.set_forkserver_preload(
    ["dynsearch.search.evaluator", "tests.search.toy", "tests.search.engines.test_local_groups"]
)


class Together(ToyEvaluator):
    """A toy of two processes; the second is killed once in trial 3, and breaks in trial ``breaks``."""

    def __init__(self, breaks=None, **toy):
        super().__init__(**toy)
        self.breaks = breaks

    def __call__(self, job, monitor):
        ranks = Ranks.current()
        assert ranks.gather(ranks.rank) == [0, 1]
        marker = job.folder.parent / "killed"
        if job.number == 3 and ranks.rank == 1 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if job.number == self.breaks and ranks.rank == 1:
            raise ValueError("the second can't read its video")
        scores = super().__call__(job, monitor)
        ranks.gather(None)
        return scores


def test_two_processes_serve_all_trials_and_both_are_new_after_one_is_killed(tmp_path):
    path = tmp_path / "s"
    study, observer = run(path, Together(rungs=(1, 3)), engine=PAIRS, **ASHA)
    assert summary(study) == summary(run(tmp_path / "expected", TOY, **ASHA)[0])
    assert observer.retries == [(3, "its process was killed (signal 9), perhaps out of memory")]
    pairs = {}
    for number, process in evaluations(path):
        pairs.setdefault(number, set()).add(process)
    assert all(len(pair) == 2 for number, pair in pairs.items() if number != 3)
    assert len(pairs[3]) == 3  # The second died before it wrote its line.


@pytest.mark.reliability(
    "Processes",
    "one of several processes that train a trial together fails",
    happens="the others, which would wait for it, are ended; the trial fails alone, at once, with its reason",
    sees="trial ... failed: ValueError: ...",
)
def test_what_breaks_in_the_second_process_is_the_trials_reason(tmp_path):
    study, _ = run(tmp_path / "s", Together(breaks=1), engine=PAIRS, max_gflops=1, num_trials=3)
    ended = [trial.state for trial in study.trials]
    assert ended == [TrialState.COMPLETE, TrialState.FAIL, TrialState.COMPLETE]
    assert study.trials[1].user_attrs["error"] == "ValueError: the second can't read its video"


class Stops:
    """Trains for ever, each process until it is told to stop; the second writes that it was."""

    def __call__(self, job, monitor):
        ranks = Ranks.current()
        ranks.gather(None)  # The first has made the trial's folder.
        (job.folder.parent / f"began-{ranks.rank}").touch()
        while not ranks.any(stop_wanted()):
            time.sleep(0.01)
        if ranks.is_first:
            time.sleep(0.3)  # It saves its state, after the other has stopped.
            (job.folder / "saved").touch()

        raise Stopped


def test_asked_to_stop_the_first_may_save_what_it_has(tmp_path):
    began = [tmp_path / "s" / "trials" / f"began-{rank}" for rank in range(2)]
    stopper = when(lambda: all(file.exists() for file in began), lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "s", Stops(), engine=PAIRS, num_trials=1, max_gflops=1)
    stopper.join()
    assert (tmp_path / "s" / "trials" / "0" / "saved").exists()


def test_together_they_train_as_one_process_with_their_batches_together(tmp_path):
    assert_trained_as_by_one(PAIRS, tmp_path)
