"""One-shot networks and orders as jobs: side by side, tried once more after a fault, stopped where they can't help."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from optuna import create_study
from optuna.trial import TrialState

from dynsearch.errors import StudyFailedError
from dynsearch.search.engines import End, Job, Outcome
from dynsearch.search.one_shot.jobs import Jobs
from dynsearch.search.one_shot.shape import Shape
from dynsearch.search.run import run_study
from dynsearch.study.folder import StudyFolder
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.record import open_record
from dynsearch.study.run_settings import RunSettings
from dynsearch.training.made import WEIGHTS
from tests.search.one_shot.test_strategy import RECIPE
from tests.search.one_shot.test_training_and_scoring import SHAPE, SPACE
from tests.search.toy import Silent
from tests.training.fakes import ArraySource

SIZES = SPACE.model_copy(
    update={"image_sizes": [32, 48], "temporal_shifts": ["none"], "across_groups": [True]}
)
SMALL, LARGE = Shape.all_in(SIZES)


class Scripted:
    """An engine of two slots that ends jobs as it is told to, the one submitted first before others."""

    num_slots = 2

    def __init__(self, *ends):
        self.ends, self.running, self.submitted, self.most = list(ends), [], [], 0

    def submit(self, job):
        self.running.append(job)
        self.submitted.append((job.number, job.halvings))
        self.most = max(self.most, len(self.running))

    def collect(self, seconds):
        end = self.ends.pop(0) if self.ends else End.DONE
        return Outcome(self.running.pop(0), end, error=None if end is End.DONE else f"it said {end.value}")


def scripted(*ends, study=None):
    engine, observer = Scripted(*ends), Silent()
    library = SimpleNamespace(observer=observer, announce=lambda job: None)
    jobs = Jobs(engine, library, study or create_study(), 1.0)
    return jobs, engine, observer


def some(count):
    return [Job(n, SHAPE.finest_trunk(SPACE), Path(f"network-{n}"), kind="network") for n in range(count)]


def test_as_many_run_at_once_as_there_are_slots():
    jobs, engine, _ = scripted()
    jobs._run(some(5))
    assert (engine.most, engine.submitted) == (2, [(n, 0) for n in range(5)])


@pytest.mark.reliability(
    "Processes",
    "a process that trains a one-shot network is killed, or runs out of memory",
    happens="the network goes on from its last saved step once more, out of memory with half the batch",
    sees="the one-shot network for ... was cut off and goes on once more: ...",
)
def test_a_job_that_is_cut_off_goes_on_once_more_also_by_another_driver():
    jobs, engine, observer = scripted(End.DIED, End.MEMORY)
    jobs._run(some(2))
    assert engine.submitted == [(0, 0), (1, 0), (0, 0), (1, 1)]
    assert observer.notes[0] == (
        f"the one-shot network for {SHAPE} was cut off and goes on once more: it said its process died"
    )
    again, engine, _ = scripted(End.DIED, study=jobs.screening)
    with pytest.raises(StudyFailedError, match="the one-shot network for .*: it said its process died"):
        again._run(some(2))
    assert engine.submitted == [(0, 0), (1, 1)]


def test_a_failure_ends_the_study_once_what_runs_has_ended():
    jobs, engine, _ = scripted(End.FAILED)
    with pytest.raises(StudyFailedError, match="it said failed"):
        jobs._run(some(4))
    assert (engine.submitted, engine.running) == ([(0, 0), (1, 0)], [])


class OneSizeIsNoise(ArraySource):
    """Clips of 48 px tell nothing of their class."""

    sizes = {"train": 36, "calibration": 240, "test": 33}

    def loader(self, split, plan, *arguments, **options):
        loader = super().loader(split, plan, *arguments, **options)
        if plan.image_size == 48:
            clips = loader.dataset
            clips.clips[range(len(clips)), :, clips.labels] -= 0.7
        return loader


def study(path, **run):
    (path / "space.yaml").write_text(yaml.safe_dump(SIZES.model_dump(mode="json")))
    recipe = StudyRecipe.model_validate(RECIPE | {"space": str(path / "space.yaml"), "max_gflops": 0.1})
    folder, observer = StudyFolder(path / "s"), Silent()
    run_study(recipe, folder, OneSizeIsNoise(), observer, run=RunSettings(**run))
    return folder, observer


@pytest.mark.parametrize("concurrent", [1, 2])
def test_a_shape_that_can_not_reach_the_frontier_stops_early(tmp_path, concurrent):
    folder, observer = study(tmp_path, concurrent=concurrent)
    home = folder.path / "one-shot"
    screening = open_record(folder, part="screening")
    told = screening.user_attrs
    if concurrent == 1:  # Side by side the one that comes first has nobody to be compared with.
        assert (home / SMALL.folder_name / WEIGHTS).is_file()
        assert not (home / LARGE.folder_name / WEIGHTS).exists()
        assert told[f"{SMALL.folder_name} after 1 epochs"]["lead"] > 0
        assert told[f"{LARGE.folder_name} after 1 epochs"]["lead"] < -2 * (0.5 / 240) ** 0.5
        reason = told[f"stopped {LARGE.folder_name}"]
        assert reason.startswith(f"the one-shot network for {LARGE} is stopped after 1 epochs: at every cost")
        assert reason in observer.notes
        refused = screening.get_trials(states=[TrialState.PRUNED])
        assert {trial.user_attrs["refused"] for trial in refused} == {reason}
        assert {trial.params["image_size"] for trial in refused} == {48}
    epochs = [json.loads(line)["epoch"] for line in (home / SMALL.folder_name / "metrics.jsonl").open()]
    assert epochs == [1, 2, 3]
    with (folder.path / "frontier.csv").open() as file:
        before = list(csv.DictReader(file))
    _, again = study(tmp_path, concurrent=concurrent)
    assert not [note for note in again.notes if "epochs" in note]
    with (folder.path / "frontier.csv").open() as file:
        assert list(csv.DictReader(file)) == before
