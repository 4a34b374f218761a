"""Worker processes that die, hang on to dead drivers, or are shared by many trials."""

import contextlib
import os
import pickle
import random
import signal
import threading
import time
from multiprocessing import forkserver
from pathlib import Path

import pytest
from optuna.trial import TrialState

from dynsearch.errors import InfeasibleBudgetError, WeightsError, within
from dynsearch.scores import ExitScores
from dynsearch.search.engines import End, Job, LocalEngine
from dynsearch.search.one_shot.shape import Shape
from dynsearch.study.folder import StudyFolder
from dynsearch.study.record import finished
from tests.search.toy import SPACE, ToyEvaluator, evaluated, evaluations, kills, run, summary
from tests.warm import Warm


def when(condition, action):
    """Do ``action`` as soon as ``condition`` holds, in a thread."""

    def watch():
        while not condition():
            time.sleep(0.01)
        action()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def wait_until_gone(process):
    """Wait until a process has ended; a test that waits for ever has failed."""
    state = Path(f"/proc/{process}/stat")
    with contextlib.suppress(OSError):
        while state.read_text().rpartition(")")[2].split()[0] != "Z":
            time.sleep(0.01)


def test_one_warm_process_serves_all_trials_and_is_not_the_drivers(tmp_path):
    run(tmp_path / "s", num_trials=5)
    processes = {process for _, process in evaluations(tmp_path / "s")}
    assert len(processes) == 1
    assert os.getpid() not in processes
    wait_until_gone(processes.pop())


def test_several_trials_run_at_once_in_a_process_each(tmp_path):
    hang = tmp_path / "hang"
    hang.touch()
    engine_is_full = when(lambda: len(evaluations(tmp_path / "s")) == 3, hang.unlink)
    study, _ = run(tmp_path / "s", ToyEvaluator(hang_while=hang), num_trials=6, concurrent=3)
    engine_is_full.join()
    assert len(finished(study)) == 6
    assert sorted(evaluated(tmp_path / "s")) == [trial.number for trial in finished(study)]
    assert len({process for _, process in evaluations(tmp_path / "s")}) == 3


def write_threads(job, monitor):
    import torch

    (job.folder / "threads").write_text(str(torch.get_num_threads()))


def test_a_job_beside_which_none_is_under_way_has_all_cores(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.get_num_threads", lambda: 3)
    monkeypatch.setattr("dynsearch.machine.available_cores", lambda: 4)
    plan = Shape("test_resnet", 8, 48, "linear").finest_trunk(SPACE)
    with contextlib.closing(LocalEngine(write_threads, num_slots=2)) as engine:
        for number, alone in enumerate((True, False, True)):
            job = Job(number, plan, tmp_path / str(number), kind="network", alone=alone)
            engine.submit(job)
            assert engine.collect(60).end is End.DONE
    assert [(tmp_path / str(number) / "threads").read_text() for number in range(3)] == ["3", "2", "3"]


@pytest.mark.reliability(
    "Processes",
    "a trial's process is killed",
    happens="the trial is tried once more and ends as if nothing had happened; killed again, it fails alone",
    sees="trial ... was cut off and goes on once more: its process was killed (signal 9), perhaps out of memory",
)
def test_a_process_killed_once_costs_the_trial_nothing(tmp_path):
    study, observer = run(tmp_path / "s", ToyEvaluator(killed_on={0, 2}), max_gflops=1, num_trials=4)
    assert observer.retries == [
        (0, "its process was killed (signal 9), perhaps out of memory"),
        (2, "its process was killed (signal 9), perhaps out of memory"),
    ]
    faults = {name: said for name, said in study.trials[2].user_attrs.items() if name.startswith("fault")}
    assert faults == {"fault: its process died": observer.retries[1][1]}
    assert summary(study) == summary(run(tmp_path / "undisturbed", max_gflops=1, num_trials=4)[0])


@pytest.mark.reliability("Processes", "a trial's process is killed")
def test_a_trial_whose_process_always_dies_fails_alone_with_the_reason(tmp_path):
    evaluator = ToyEvaluator(killed_on={1}, killed="always")
    study, _ = run(tmp_path / "s", evaluator, max_gflops=1, num_trials=3)
    assert [trial.state for trial in study.trials] == [
        TrialState.COMPLETE, TrialState.FAIL, TrialState.COMPLETE,
    ]  # fmt: skip
    assert study.trials[1].user_attrs["error"] == "its process was killed (signal 9), perhaps out of memory"
    assert evaluated(tmp_path / "s") == [0, 1, 1, 2]


@pytest.mark.parametrize(
    "error",
    [
        WeightsError("missing", where="w.pth", hint="Look elsewhere"),
        InfeasibleBudgetError(1.0, 2.0, name="max_ms", unit="ms", where="here"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_keep_everything_on_their_way_between_processes(error):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
    with pytest.raises(type(error), match="^a file, here|^a file, w.pth") as caught, within("a file"):
        raise error
    assert vars(caught.value) | {"where": error.where} == vars(error)


def wait_for(condition, process):
    """Wait until ``condition`` holds or the process has ended; there is no time limit to be missed."""
    while not condition() and process.poll() is None:
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.reliability(
    "Processes",
    "kill -9 of drivers and workers at random moments",
    happens="the same command goes on; no trial is lost or repeated",
)
def test_killed_at_any_moment_the_study_ends_as_if_undisturbed(tmp_path):
    """kill -9 of 12 trials' processes and 8 drivers, at seeded random moments; nothing is lost or repeated."""
    expected = summary(run(tmp_path / "undisturbed", num_trials=16)[0])
    moments = random.Random(0)
    deadly = set(moments.sample([trial[0] for trial in expected if trial[1] == TrialState.COMPLETE], 12))
    evaluator = ToyEvaluator(killed_on=deadly, seconds=0.2)
    paths, num_kills = [tmp_path / "killed"], 0
    while num_kills < 8:
        path = paths[-1]
        driver = Warm.calls(run, path, evaluator, num_trials=16)
        seen, wanted = len(evaluations(path)), moments.randint(1, 2)
        wait_for(lambda path=path, least=seen + wanted: len(evaluations(path)) >= least, driver)
        time.sleep(moments.uniform(0, 0.2))
        driver.kill()
        if driver.wait() == 0:  # It was at the end already: another study takes the rest.
            paths.append(tmp_path / f"killed{len(paths)}")
        else:
            num_kills += 1
    for path in paths:
        study, _ = run(path, evaluator, num_trials=16)
        assert {number for number, _ in kills(path)} == deadly
        assert summary(study) == expected
        for trial in finished(study):
            folder = StudyFolder(path).trial(trial.number)
            assert sorted(file.name for file in folder.iterdir()) == [
                "frontier-calibration.npz",
                "scores-calibration.npz",
                "scores-test.npz",
            ]
            assert {ExitScores.load(file).plan_id for file in folder.glob("scores-*")} == {
                trial.user_attrs["plan_id"]
            }


def test_the_process_that_workers_are_forked_from_may_be_killed(tmp_path):
    path, hang = tmp_path / "s", tmp_path / "hang"
    hang.touch()

    def kill():
        os.kill(forkserver._forkserver._forkserver_pid, signal.SIGKILL)
        hang.unlink()

    killer = when(lambda: len(evaluations(path)) == 1, kill)
    study, observer = run(path, ToyEvaluator(hang_while=hang), max_gflops=1, num_trials=3)
    killer.join()
    assert [number for number, _ in observer.retries] == [0]
    assert summary(study) == summary(run(tmp_path / "undisturbed", max_gflops=1, num_trials=3)[0])


@pytest.mark.reliability(
    "Processes",
    "the driver is killed",
    happens="its workers end with it; the next driver takes the trials up",
)
def test_a_worker_does_not_outlive_its_driver_and_the_trial_pays_nothing_for_it(tmp_path):
    hang, path = tmp_path / "hang", tmp_path / "s"
    hang.touch()
    for killed in range(1, 4):
        driver = Warm.calls(run, path, ToyEvaluator(hang_while=hang), num_trials=2, max_gflops=1)
        wait_for(lambda killed=killed: len(evaluations(path)) == killed, driver)
        driver.kill()
        driver.wait()
        wait_until_gone(evaluations(path)[-1][1])
    hang.unlink()
    study, _ = run(path, num_trials=2, max_gflops=1)
    assert evaluated(path) == [0, 0, 0, 0, 1]
    assert "faults" not in study.trials[0].user_attrs
