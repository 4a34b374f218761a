"""A Ray that the engine starts on this machine, and trials that two processes train together on it."""

import functools
import os
import signal
import subprocess
import sys
from importlib.util import find_spec

import pytest
import yaml

from dynsearch.errors import RecipeError
from dynsearch.search.engines import RayEngine
from dynsearch.search.run import run_study
from dynsearch.study.folder import StudyFolder
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.run_settings import RunSettings
from dynsearch.training.made import facts_in
from dynsearch.training.ranks import Ranks
from tests.search.engines.as_one import assert_trained_as_by_one
from tests.search.one_shot.test_strategy import RECIPE as ONE_SHOT
from tests.search.one_shot.test_training_and_scoring import SPACE as ONE_SHOT_SPACE
from tests.search.test_halving import ASHA, TOY
from tests.search.toy import Silent, ToyEvaluator, evaluations, recipe, run, summary
from tests.training.fakes import ArraySource

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="needs ray: make install")
PAIRS = functools.partial(RayEngine, workers_per_trial=2)


LISTENERS = """
import re
from pathlib import Path
from dynsearch.search.engines.ray_session import start_ray

start_ray(None, 1)
import ray
ray.get(ray.remote(lambda: 1).remote())
parents = {}
for stat in Path("/proc").glob("[0-9]*/stat"):
    try:
        parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:
        pass
family = {os.getpid()}
while more := {child for child, parent in parents.items() if parent in family} - family:
    family |= more
sockets = set()
for process in family:
    for file in Path(f"/proc/{process}/fd").glob("*"):
        try:
            sockets |= set(re.findall(r"socket:.(\\d+)", os.readlink(file)))
        except OSError:
            pass
for table in ("tcp", "tcp6"):
    for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and fields[9] in sockets:
            print(fields[1].partition(":")[0])
"""
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


@needs_ray
@pytest.mark.cluster
@pytest.mark.slow
def test_ray_started_here_listens_on_the_loopback_interface_only():
    command = [sys.executable, "-c", f"import os\n{LISTENERS}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    listeners = done.stdout.split()
    assert len(listeners) >= 3  # gcs_server, raylet, a worker
    assert set(listeners) <= LOOPBACK


class Together(ToyEvaluator):
    """A toy of two processes; the second is killed once, in trial 3."""

    def __call__(self, job, monitor):
        ranks = Ranks.current()
        assert ranks.gather(ranks.rank) == [0, 1]
        marker = job.folder.parent / "killed"
        if job.number == 3 and ranks.rank == 1 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(job, monitor)


@needs_ray
@pytest.mark.cluster
@pytest.mark.slow
def test_two_processes_serve_all_trials_and_both_are_new_after_one_is_killed(tmp_path):
    path = tmp_path / "s"
    study, observer = run(path, Together(rungs=(1, 3)), engine=PAIRS, **ASHA)
    assert summary(study) == summary(run(tmp_path / "expected", TOY, **ASHA)[0])
    assert [number for number, _ in observer.retries] == [3]
    assert observer.retries[0][1].startswith("one of its processes was lost")
    pairs = {}
    for number, process in evaluations(path):
        pairs.setdefault(number, set()).add(process)
    before, after = (
        {frozenset(pairs[n]) for n in pairs if n in chosen} for chosen in (range(3), range(4, 99))
    )
    assert len(before) == len(after) == 1
    assert [len(pair) for pair in before | after] == [2, 2]
    assert not next(iter(before)) & next(iter(after))


@needs_ray
@pytest.mark.cluster
@pytest.mark.slow
def test_together_they_train_as_one_process_with_their_batches_together(tmp_path):
    assert_trained_as_by_one(PAIRS, tmp_path)


@needs_ray
@pytest.mark.cluster
@pytest.mark.slow
def test_one_shot_networks_and_orders_are_rays_jobs(tmp_path):
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(ONE_SHOT_SPACE.model_dump(mode="json")))
    settings = {"space": str(tmp_path / "space.yaml"), "workers_per_trial": 2}
    folder, observer = StudyFolder(tmp_path / "s"), Silent()
    how = RunSettings(engine="ray")
    run_study(StudyRecipe.model_validate(ONE_SHOT | settings), folder, ArraySource(), observer, run=how)
    (network,) = (folder.path / "one-shot").glob("*/weights.safetensors")
    assert facts_in(network)["processes"] == 2
    assert "network" in observer.stages[1][0]
    assert (folder.path / "frontier.csv").is_file()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"engine": "ray", "gpus_per_trial": 3}, "gpus_per_trial 3 can't be shared by 2 workers"),
        ({"engine": "ray", "gpus_per_trial": 0.5}, "gpus_per_trial 0.5 can't be shared by 2 workers"),
    ],
)
def test_numbers_that_do_not_fit(changes, says):
    with pytest.raises(RecipeError, match=says):
        recipe(workers_per_trial=2, **changes)
