"""The Ray engine on a real cluster of three nodes on this machine."""

import functools
import os
import random
import time
from pathlib import Path

import pytest
from optuna.trial import TrialState

from dynsearch.search.engines import RayEngine
from dynsearch.search.engines.ray_session import quieten
from dynsearch.search.halving import stopped_at
from dynsearch.study.folder import StudyFolder
from dynsearch.study.record import finished
from tests.search.test_halving import ASHA, TOY
from tests.search.toy import InlineEngine, ToyEvaluator, evaluated, evaluations, kills, run, summary
from tests.warm import Warm

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("ray", reason="needs ray: make install")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", os.environ)
        quieten()
        from ray.cluster_utils import Cluster

        nodes = Cluster(initialize_head=True, head_node_args=node(include_dashboard=False))
        for _ in range(2):
            nodes.add_node(**node())
        nodes.wait_for_nodes()
        yield nodes
        import ray

        ray.shutdown()
        nodes.shutdown()


def node(**more):
    return {"num_cpus": 1, "object_store_memory": 80 * 2**20, **more}


@pytest.fixture
def engine(cluster):
    return functools.partial(RayEngine, address=cluster.address)


def test_the_same_study_as_on_any_engine_in_one_warm_process(tmp_path, engine):
    evaluator = ToyEvaluator(fail_on={2}, killed_on={3})
    changes = {"num_trials": 5, "max_gflops": 1}
    study, observer = run(tmp_path / "s", evaluator, engine=engine, **changes)
    expected, _ = run(tmp_path / "expected", ToyEvaluator(fail_on={2}), **changes)
    assert summary(study) == summary(expected)
    assert study.trials[2].user_attrs["error"] == "ValueError: no such thing"
    assert [number for number, _ in observer.retries] == [3]
    assert observer.retries[0][1].startswith("its process was lost")
    processes = evaluations(tmp_path / "s")
    assert [number for number, _ in processes] == [0, 1, 2, 3, 3, 4]
    assert len({process for number, process in processes[:4]}) == 1


def test_bad_trials_are_stopped_early_as_on_any_engine(tmp_path, engine):
    study, _ = run(tmp_path / "s", TOY, engine=engine, **ASHA)
    expected, _ = run(tmp_path / "expected", TOY, **ASHA)
    assert summary(study) == summary(expected)
    stopped = [trial for trial in study.trials if stopped_at(trial) is not None]
    assert {(t.state, t.values) for t in stopped} == {(TrialState.PRUNED, None)}
    assert [stopped_at(trial) for trial in study.trials] == [stopped_at(trial) for trial in expected.trials]
    assert len({process for _, process in evaluations(tmp_path / "s")}) == 1


def test_a_study_begun_on_one_engine_goes_on_on_another(tmp_path, engine):
    run(tmp_path / "s", engine=InlineEngine, num_trials=2)
    run(tmp_path / "s", engine=engine, num_trials=4)
    study, _ = run(tmp_path / "s", engine=InlineEngine, num_trials=6)
    assert summary(study) == summary(run(tmp_path / "expected", engine=InlineEngine, num_trials=6)[0])


def test_a_node_killed_in_the_middle_costs_the_study_no_trial(tmp_path, cluster, engine):
    path, hang = tmp_path / "s", tmp_path / "hang"
    from tests.search.engines.test_local import when

    doomed = cluster.add_node(**node())
    cluster.wait_for_nodes()

    def kill_a_node():
        cluster.remove_node(doomed, allow_graceful=False)
        # A worker outlives its node for a moment: nothing may end before it is gone.
        while all(is_running(process) for _, process in evaluations(path)):
            time.sleep(0.01)
        hang.unlink()

    hang.touch()
    killer = when(lambda: len(evaluations(path)) >= 4, kill_a_node)
    study, observer = run(
        path, ToyEvaluator(hang_while=hang), engine=engine, num_trials=12, concurrent=4, max_gflops=1
    )
    killer.join()
    done = finished(study)
    assert len(done) == 12
    assert {trial.state for trial in study.trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert len(observer.retries) == 1
    again = [number for number, _ in observer.retries]
    assert sorted(evaluated(path)) == sorted([trial.number for trial in done] + again)


def is_running(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


DEADLY = ToyEvaluator(seconds=0.3, killed_on={1, 3})


def test_killed_at_any_moment_the_study_ends_as_if_undisturbed(tmp_path, cluster, engine):
    """kill -9 of 3 drivers and 2 trials' processes, at seeded random moments."""
    undisturbed, _ = run(tmp_path / "undisturbed", engine=InlineEngine, num_trials=8)
    assert {undisturbed.trials[number].state for number in DEADLY.killed_on} == {TrialState.COMPLETE}
    moments, paths, num_kills = random.Random(1), [tmp_path / "killed"], 0
    while num_kills < 3:
        path = paths[-1]
        driver = Warm.calls(run, path, DEADLY, num_trials=8, engine=engine)
        seen = len(evaluations(path))
        while len(evaluations(path)) == seen and driver.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.5))
        driver.kill()
        if driver.wait() == 0:  # It was at the end already: another study takes the rest.
            paths.append(tmp_path / f"killed{len(paths)}")
        else:
            num_kills += 1
    for path in paths:
        study, _ = run(path, DEADLY, engine=engine, num_trials=8)
        assert {number for number, _ in kills(path)} == DEADLY.killed_on
        assert summary(study) == summary(undisturbed)
        for trial in finished(study):
            assert {file.name for file in StudyFolder(path).trial(trial.number).iterdir()} == {
                "frontier-calibration.npz", "scores-calibration.npz", "scores-test.npz",
            }  # fmt: skip
