"""A toy evaluator: real exit scores in milliseconds, drawn from a model of accuracy rising with cost."""

import contextlib
import os
import random
import signal
import threading
import time

import numpy as np

from dynsearch.families import cost_table
from dynsearch.measures import COUNTED
from dynsearch.scores import ExitScores
from dynsearch.search.driver import Driver
from dynsearch.search.engines import End, LocalEngine, Outcome, slot
from dynsearch.search.proposals import check_budget
from dynsearch.space import SearchSpace
from dynsearch.study.folder import StudyFolder
from dynsearch.study.recipe_file import split_settings
from dynsearch.study.record import open_record
from dynsearch.training.run import TrainedScores

# Workers that evaluate toys are forked from a process that has imported this, as it has imported torch.
slot._CONTEXT.set_forkserver_preload(["dynsearch.search.evaluator", "tests.search.toy"])

NUM_CLASSES = 4
SPACE = SearchSpace.model_validate(
    {
        "backbones": ["test_resnet"],
        "frames": [{"num_frames": 4, "num_sets": 4}, {"num_frames": 8, "num_sets": 8}],
        "image_sizes": [48],
        "frame_orders": ["sequential", "paper"],
        "exits": {"min_exits": 1, "max_exits": 4, "min_depth": 3, "max_depth": 5},
    }
)


def recipe(**changes):
    return recipe_and_run(**changes)[0]


def recipe_and_run(**changes):
    values = {"dataset": "toy", "space": "toy", "max_gflops": 0.05, "num_trials": 6, "seed": 3}
    return split_settings(values | changes)


class ToyEvaluator:
    """Draws logits whose right class stands out the more, the more an exit costs. Deterministic by plan.

    Args:
        fail_on: Trials that fail with a ValueError.
        killed_on: Trials whose process is killed at a random moment, the first time or every time they are
            evaluated.
        killed: ``once`` or ``always``.
        seconds: How long a trial takes.
        hang_while: While this file exists, trials never end.
        rungs: Epochs after which it asks whether the trial goes on.
    """

    def __init__(self, fail_on=(), killed_on=(), killed="once", seconds=0.0, hang_while=None, rungs=()):
        self.fail_on = fail_on
        self.killed_on = killed_on
        self.killed = killed
        self.seconds = seconds
        self.hang_while = hang_while
        self.rungs = rungs

    def __call__(self, job, monitor):
        note(job)
        if job.number in self.fail_on:
            raise ValueError("no such thing")
        for epoch in self.rungs:
            monitor.rung(epoch, toy_top1(job.plan, epoch))
        killer = self._start_killer(job) if job.number in self.killed_on else None
        while self.hang_while is not None and self.hang_while.exists():
            time.sleep(0.01)
        time.sleep(self.seconds)
        path = job.folder / "scores-test.npz"
        scores = {split: self.draw(job.plan, split) for split in ("calibration", "test")}
        for split, measured in scores.items():
            measured.save(path.with_name(f"scores-{split}.npz"))
        if killer is not None:
            killer.join()
        return TrainedScores(**scores)

    def _start_killer(self, job):
        if self.killed == "once" and job.number in dict(kills(job.folder.parents[1])):
            return None
        moment = random.Random(job.number).uniform(0, 1.5 * self.seconds)
        killer = threading.Timer(moment, self._kill, [job])
        killer.start()
        return killer

    @staticmethod
    def _kill(job):
        note(job, "killed.txt")
        os.kill(os.getpid(), signal.SIGKILL)

    @staticmethod
    def draw(plan, split):
        rng = np.random.default_rng([int(plan.plan_id, 16) % 2**32, len(split)])
        cost_E = np.array(cost_table(plan, NUM_CLASSES).cost_E)
        labels_N = np.random.default_rng(len(split)).integers(0, NUM_CLASSES, 120)
        logits_ENK = rng.normal(size=(len(cost_E), 120, NUM_CLASSES))
        logits_ENK[:, np.arange(120), labels_N] += 2 + 2 * np.log10(cost_E / 0.005)[:, None]
        return ExitScores.from_logits(
            logits_ENK.astype(np.float32), labels_N, cost_E,
            video_ids=[f"{split}{i}" for i in range(120)], plan_id=plan.plan_id, split=split,
        )  # fmt: skip


def toy_top1(plan, epoch):
    """A plan's top-1 after some epochs: drawn from the plan and the epoch."""
    return float(np.random.default_rng([int(plan.plan_id, 16) % 2**32, epoch]).random())


def note(job, name="evaluated.txt"):
    """Write down that a trial is evaluated, and where; a line this short is appended whole."""
    with (job.folder.parent / name).open("a") as file:
        file.write(f"{job.number} {os.getpid()}\n")


def evaluated(folder):
    """Return the numbers of the trials evaluated in a study's folder, in order."""
    return [number for number, _ in evaluations(folder)]


def kills(folder):
    """Return (trial, process) of every evaluation that the toy has killed, in order."""
    return evaluations(folder, "killed.txt")


def evaluations(folder, name="evaluated.txt"):
    """Return (trial, process) of every evaluation begun, in order."""
    path = folder / "trials" / name
    lines = path.read_text().splitlines() if path.is_file() else []
    return [tuple(map(int, line.split())) for line in lines]


class InlineEngine:
    """Evaluates in this process, one job after the other: for tests of what is not about processes."""

    num_slots = 1

    def __init__(self, evaluator, num_slots=1):
        self.evaluator = evaluator
        self.job = None

    def submit(self, job):
        self.job = job

    def collect(self, seconds):
        job, self.job = self.job, None
        job.folder.mkdir(parents=True, exist_ok=True)
        return Outcome(job, End.DONE, self.evaluator(job, None).calibration)

    def stop(self):
        pass

    def close(self):
        pass


class Silent:
    """An observer that remembers what it was told."""

    def __init__(self):
        self.refusals, self.retries, self.ends, self.was_exhausted = [], [], [], False
        self.notes, self.stages = [], []

    def refused(self, number, plan, reason):
        self.refusals.append((number, reason))

    def started(self, number, plan):
        pass

    def retried(self, number, reason):
        self.retries.append((number, reason))

    def stopping(self):
        pass

    def noted(self, line):
        self.notes.append(line)

    def staged(self, stage, place, total):
        self.stages.append((stage, place, total))

    def advanced(self, name, exits, epochs, report):
        pass

    def ended(self, number, point, error):
        self.ends.append((number, error))

    def exhausted(self):
        self.was_exhausted = True


class NoNotes:
    """Writes nothing."""

    refused = begun = failed = finished = lambda *told: None


def run(
    path, evaluator=None, space=SPACE, after_trial=lambda: None, notes=None, engine=LocalEngine, **changes
):
    """Run a study with the toy evaluator and return its record and what an observer heard."""
    folder = StudyFolder(path)
    observer = Silent()
    chosen, how = recipe_and_run(**changes)
    check_budget(space, chosen, NUM_CLASSES)
    with folder.prepared():
        folder.record(chosen, space, run=how)
        study = open_record(folder, create=COUNTED)
    with contextlib.closing(engine(evaluator or ToyEvaluator(), num_slots=how.concurrent)) as running:
        steps = (observer, after_trial, notes or NoNotes())
        Driver(study, chosen, space, running, folder, NUM_CLASSES, *steps, how.max_hours).run()
    return study, observer


def summary(study):
    """What must be the same however often a study was interrupted."""
    return [(t.number, t.state, t.params, t.values) for t in study.get_trials()]
