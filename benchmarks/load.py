"""A study of many trials with a toy evaluator: what a trial costs at the beginning and at the end, and memory.

    python benchmarks/load.py --trials 10000

Promised: our own work stays under 5 ms of CPU a trial at the end, and the process under 1 GB. What Optuna computes
(its sampler and its storage), what the evaluator does, and solving the trial's thresholds stand beside it. Plans are
drawn at random (``--sampler tpe`` for the sampler of studies, whose own cost rises with the trials); frontier files
are written as in a study; the pictures of each trial that the dashboard shows only with ``--pictures``. At the end the
report is written and the dashboard asked for the study.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import optuna

from dynsearch.api.report import make_report
from dynsearch.frontier import solve_thresholds
from dynsearch.measures import COUNTED
from dynsearch.search import proposals
from dynsearch.search.driver import Driver
from dynsearch.search.run import Paced
from dynsearch.study import saved_frontiers
from dynsearch.study.folder import StudyFolder
from dynsearch.study.frontier_files import LiveFrontier, write_frontier
from dynsearch.study.notes import DashboardNotes
from dynsearch.study.record import open_record
from dynsearch.study.results import read_results
from tests.search.toy import NUM_CLASSES, SPACE, InlineEngine, NoNotes, Silent, ToyEvaluator, recipe

OURS, THRESHOLDS, OPTUNA, EVALUATOR = "ours", "thresholds", "optuna", "evaluator"
OPTUNAS = {
    optuna.Study: ("ask", "tell", "get_trials", "set_metric_names", "_pop_waiting_trial_id"),
    optuna.trial.Trial: (
        "suggest_int", "suggest_categorical", "suggest_float", "set_user_attr", "set_constraint", "user_attrs",
        "constraints", "params",
    ),
    optuna.storages.JournalStorage: ("set_trial_system_attr", "get_trial"),
    optuna.storages._CachedStorage: ("set_trial_system_attr", "get_trial"),
}  # fmt: skip


class Clock:
    """CPU seconds of this process by whose they are; the outermost of nested calls counts."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._inside = False

    def timed(self, whose: str, function: Any) -> Any:
        """Return ``function``, timed."""

        def call(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return function(*args, **kwargs)
            self._inside, started = True, time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[whose] += time.process_time() - started
                self._inside = False

        return call

    def watch_optuna(self) -> None:
        """Time what of Optuna the driver calls."""
        for owner, names in OPTUNAS.items():
            for name in names:
                own = getattr(owner, name)
                if isinstance(own, property):
                    setattr(owner, name, property(self.timed(OPTUNA, own.fget)))
                else:
                    setattr(owner, name, self.timed(OPTUNA, own))


class Marks:
    """The clock after every trial."""

    def __init__(self, clock: Clock, live: Callable[[], None]) -> None:
        self.clock, self.live = clock, live
        self.rows: list[dict[str, float]] = []
        self.started = time.process_time()

    def after_trial(self) -> None:
        """Do what a study does, and look at the clock."""
        self.live()
        spent = time.process_time() - self.started
        ours = spent - sum(self.clock.seconds.values())
        self.rows.append({OURS: ours, **self.clock.seconds, "memory": memory()})

    def between(self, first: int, last: int) -> dict[str, float]:
        """Return milliseconds of CPU a trial, from one trial to another."""
        a, b = self.rows[first], self.rows[last - 1]
        return {
            whose: round(1000 * (b[whose] - a[whose]) / (last - 1 - first), 2)
            for whose in (OURS, THRESHOLDS, OPTUNA, EVALUATOR)
        }


def memory() -> float:
    """Return the most memory this process had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def study(path: Path, num_trials: int, sampler: str, storage: str | None, *, pictures: bool) -> Marks:
    # Large enough for 10,000 different plans.
    frames = [SPACE.frames[0].model_copy(update={"num_frames": 16, "num_sets": 16})]
    exits = SPACE.exits.model_copy(update={"min_exits": 3, "min_depth": 1})
    space = SPACE.model_copy(update={"frames": frames, "exits": exits})
    chosen = recipe(num_trials=num_trials, max_gflops=1, storage=storage)
    folder, clock = StudyFolder(path), Clock()
    clock.watch_optuna()
    with folder.prepared():
        folder.record(chosen, space)
        record = open_record(folder, create=COUNTED)
    marks = Marks(clock, Paced(LiveFrontier(record, folder, chosen).write))
    notes = DashboardNotes(folder, chosen.budget) if pictures else NoNotes()
    engine = InlineEngine(clock.timed(EVALUATOR, ToyEvaluator()))
    driver = Driver(record, chosen, space, engine, folder, NUM_CLASSES, Silent(), marks.after_trial, notes)
    random = mock.patch.object(
        proposals, "SeededTPESampler", return_value=optuna.samplers.RandomSampler(seed=0)
    )
    solves = mock.patch.object(saved_frontiers, "solve_thresholds", clock.timed(THRESHOLDS, solve_thresholds))
    with solves, random if sampler == "random" else contextlib.nullcontext():
        driver.run()
    return marks


@contextlib.contextmanager
def dashboard(path: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "dynsearch", "dashboard", str(path), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def ask_dashboard(path: Path) -> dict[str, float]:
    """Return how long the dashboard takes to give the whole study, and how much that is."""
    with dashboard(path) as url:
        while True:
            try:
                summaries = json.loads(urllib.request.urlopen(f"{url}/api/studies").read())
                break
            except OSError:
                time.sleep(0.2)
        started = time.perf_counter()
        number = summaries["study_summaries"][0]["study_id"]
        sent = urllib.request.urlopen(f"{url}/api/studies/{number}?after=0").read()
        return {"seconds": round(time.perf_counter() - started, 2), "megabytes": round(len(sent) / 1e6, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--sampler", choices=["random", "tpe"], default="random")
    parser.add_argument("--storage", default="journal")
    parser.add_argument("--pictures", action="store_true")
    arguments = parser.parse_args()
    count, part = arguments.trials, max(50, arguments.trials // 20)
    with tempfile.TemporaryDirectory() as root:
        path = Path(root) / "load"
        storage = None if arguments.storage == "sqlite" else arguments.storage
        marks = study(path, count, arguments.sampler, storage, pictures=arguments.pictures)
        middle = statistics.median(row["memory"] for row in marks.rows)
        results: dict[str, Any] = {
            "trials": count,
            f"cpu_ms_a_trial_{part}_to_{2 * part}": marks.between(part, 2 * part),
            f"cpu_ms_a_trial_last_{part}": marks.between(count - part, count),
            "memory_mb_first_trial": round(marks.rows[0]["memory"]),
            "memory_mb_half_way": round(middle),
            "memory_mb_study": round(memory()),
        }
        folder, started = StudyFolder(path), time.process_time()
        settings = folder.recipe()
        found = read_results(open_record(folder), folder, solver=settings.solver)
        write_frontier(folder, settings, found)
        results["frontier"] = {
            "cpu_seconds": round(time.process_time() - started, 1),
            "points": len(found.points),
        }
        started = time.process_time()
        make_report(folder, folder.path / "report.html", [])
        size = (folder.path / "report.html").stat().st_size
        results["report"] = {
            "cpu_seconds": round(time.process_time() - started, 1), "megabytes": round(size / 1e6, 1),
        }  # fmt: skip
        results["memory_mb_with_report"] = round(memory())
        results["dashboard"] = ask_dashboard(path)
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
