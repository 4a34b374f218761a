"""Where a study on many GPUs breaks first: the driver's time is measured here, the GPUs are simulated.

    OMP_NUM_THREADS=1 python benchmarks/cluster_simulation.py [--dataset sthv2] [--trials 4] [--proposals 40]

Measures, in seconds of this process's CPU, what the driver does for each trial of a real study whose evaluations
cost nothing: proposing (with the plan's cost and the record's rules; in a longer study of small scores), solving
thresholds on scores of the data set's size, notes and pictures, telling the study, and redrawing the frontier, which
takes minutes here. The record's statements are counted. Then
trials of random lengths on many GPUs wait in line for one driver, or several, whose proposals exclude each other.
Prints the share of the GPUs' time that is spent in trials.
"""

from __future__ import annotations

import argparse
import contextlib
import heapq
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sqlalchemy import event
from sqlalchemy.engine import Engine as Database

from dynsearch import resources
from dynsearch.families import cost_table
from dynsearch.measures import COUNTED
from dynsearch.plan import Plan
from dynsearch.scores import ExitScores
from dynsearch.search.driver import Driver
from dynsearch.search.engines import End, Job, Outcome
from dynsearch.search.engines.engine import outcome_of
from dynsearch.search.evaluator import _Solving
from dynsearch.space import SearchSpace
from dynsearch.study.folder import StudyFolder
from dynsearch.study.frontier_files import LiveFrontier
from dynsearch.study.notes import DashboardNotes
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.record import open_record

SIZES = {"small": (120, 120, 4), "sthv2": (16_891, 24_777, 174), "kinetics400": (12_000, 19_881, 400)}
"""Videos of calibration and test, and classes."""

ASKS, FREE, ENDS = range(3)
"""Events: a GPU's driver asks for the turn to propose, a driver is free, a GPU's trial ends."""


@dataclass(frozen=True)
class Costs:
    """The driver's seconds for a trial, when n trials have ended.

    Attributes:
        propose: Line (at n = 0, per n) of choosing the next trial.
        conclude: Everything after a trial but the frontier.
        redraw: Redrawing the frontier: with no new trial, and for each trial since the last time.
    """

    propose: tuple[float, float]
    conclude: float
    redraw: tuple[float, float]


class Instant:
    """An engine whose trials take no time that counts."""

    num_slots = 1

    def __init__(self, recipe: StudyRecipe, videos: tuple[int, int], classes: int) -> None:
        self.recipe, self.videos, self.classes = recipe, videos, classes
        self.began = self.ended = 0.0

    def submit(self, job: Job) -> None:
        """Take a job."""
        self.job = job

    def collect(self, seconds: float) -> Outcome:
        """Write its scores."""
        self.began = time.process_time()
        names = ("calibration", "test")
        scores = {
            name: draw(self.job.plan, name, count, self.classes)
            for name, count in zip(names, self.videos, strict=True)
        }
        for name, drawn in scores.items():
            drawn.save(self.job.folder / f"scores-{name}.npz")
        self.leave(self.job, scores["calibration"])
        self.ended = time.process_time()
        return outcome_of(self.job, End.DONE, None)

    def leave(self, job: Job, calibration: ExitScores) -> None:
        """Do what a worker does when it has scored."""
        limits = self.recipe.limits_on(job.plan, self.classes)
        _Solving(self.recipe, limits, (), job, None).leave(calibration)  # type: ignore[arg-type]

    def stop(self) -> None:
        """Nothing is under way."""


def draw(plan: Plan, split: str, num_videos: int, num_classes: int) -> ExitScores:
    """Return exit scores whose right class stands out the more, the more an exit costs."""
    rng = np.random.default_rng([int(plan.plan_id, 16) % 2**32, len(split)])
    cost_E = np.array(cost_table(plan, num_classes).cost_E)
    labels_N = rng.integers(0, num_classes, num_videos)
    logits_ENK = rng.standard_normal((len(cost_E), num_videos, num_classes), dtype=np.float32)
    logits_ENK[:, np.arange(num_videos), labels_N] += 1 + np.log2(1 + cost_E[:, None] / cost_E[0])
    return ExitScores.from_logits(
        logits_ENK, labels_N, cost_E,
        video_ids=[f"{split}{i}" for i in range(num_videos)], plan_id=plan.plan_id, split=split,
    )  # fmt: skip


class Clock:
    """An observer that notes when trials begin and end."""

    def __init__(self) -> None:
        self.started_at: list[float] = []
        self.ended_at: list[float] = []

    def __getattr__(self, name: str) -> object:
        lists = {"started": "started_at", "ended": "ended_at"}
        times = self.__dict__[lists[name]] if name in lists else []
        return lambda *_: times.append(time.process_time())


@contextlib.contextmanager
def counted_statements() -> Iterator[list[str]]:
    """Yield a list that the database's statements are added to."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement.split()[0])

    event.listen(Database, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Database, "before_cursor_execute", note)


def measure(dataset: str, num_trials: int, *, draws: bool) -> Costs:
    """Run a study whose trials cost nothing, print what the driver's part took, and return it.

    Args:
        dataset: Whose sizes the scores have.
        num_trials: Of the study.
        draws: Whether the frontier is drawn after every trial.
    """
    *videos, classes = SIZES[dataset]
    space = SearchSpace.load(resources.find("search_spaces", "sthv2"))
    recipe = StudyRecipe(
        dataset=dataset, space="sthv2", max_gflops=40, num_trials=num_trials, strategy="retrain"
    )
    engine, clock, redraws = Instant(recipe, (videos[0], videos[1]), classes), Clock(), []
    with tempfile.TemporaryDirectory() as root:
        folder = StudyFolder(Path(root) / "study")
        folder.record(recipe, space)
        proposes: list[float] = []
        concludes: list[float] = []

        def redraw() -> None:
            ended = time.process_time()
            concludes.append(ended - engine.ended)
            times = [ended]
            for _ in range(2):  # the second time there is no new trial
                if draws:
                    frontier.write()
                times.append(time.process_time())
            redraws.append(np.diff(times))
            proposes.append(time.process_time())

        with counted_statements() as statements:
            study = open_record(folder, create=COUNTED)
            frontier = LiveFrontier(study, folder, recipe)
            begun = len(statements)
            notes = DashboardNotes(folder, recipe.budget)
            Driver(study, recipe, space, engine, folder, classes, clock, redraw, notes).run()  # type: ignore[arg-type]
        record = (folder.path / "study.db").stat().st_size
        scores = sum(path.stat().st_size for path in folder.trial(0).glob("scores-*.npz"))
    waits = [start - last for start, last in zip(clock.started_at[1:], proposes, strict=False)]
    n = np.arange(1, len(waits) + 1)
    whole, nothing_new = np.median(redraws, axis=0)
    redraw = float(nothing_new), max(0.0, float(whole - nothing_new))
    costs = Costs(line(n, np.array(waits)), float(np.median(concludes)), redraw)
    done = len(clock.ended_at)
    writes = sum(word in ("INSERT", "UPDATE") for word in statements[begun:])
    print(f"{dataset}: {videos[0]} + {videos[1]} videos, {classes} classes, {done} trials; seconds of CPU:")
    print(f"  proposing {costs.propose[0]:.3f} + {1000 * costs.propose[1]:.2f}/1000 for each trial before it")
    print(f"  thresholds, notes, telling {costs.conclude:.2f}")
    if draws:
        print(
            f"  redrawing the frontier {costs.redraw[0]:.2f} + {costs.redraw[1]:.3f} for each trial since the last time"
        )
    print(
        f"  record: {writes / done:.0f} writing statements a trial of {(len(statements) - begun) / done:.0f}, "
        f"{record / done / 1e3:.0f} kB; scores {scores / 1e6:.0f} MB a trial"
    )
    return costs


def line(n: np.ndarray, seconds: np.ndarray) -> tuple[float, float]:
    """Return (at 0, per n) of a line through ``seconds``, neither below zero."""
    slope = max(0.0, float(np.polyfit(n, seconds, 1)[0]))
    return max(0.0, float(np.median(seconds - slope * n))), slope


def share_in_trials(
    costs: Costs, gpus: int, drivers: int, minutes: float, num_trials: int, redraw_share: float | None
) -> float:
    """Return the share of the GPUs' time spent in trials, until the last trial begins.

    Args:
        costs: The driver's.
        gpus: One trial at a time each.
        drivers: GPUs are shared out among them.
        minutes: Mean length of a trial; lengths are log-normal, with a spread of a third.
        num_trials: In all.
        redraw_share: The most of a driver's time that goes into redrawing; None means after every trial.
    """
    rng = np.random.default_rng(0)
    lengths = list(rng.lognormal(np.log(60 * minutes) - 0.05, 0.32, num_trials))
    queues = [deque(range(driver, gpus, drivers)) for driver in range(drivers)]  # GPUs that wait for a driver
    idle, has_trial, next_redraw = [False] * drivers, [False] * gpus, [0.0] * drivers
    events = [(0.0, FREE, driver) for driver in range(drivers)]
    drawn = [0] * drivers  # trials in each driver's last frontier
    turn_free, num_ended, busy, last = 0.0, 0, 0.0, 0.0
    while lengths:
        now, kind, which = heapq.heappop(events)
        driver = which % drivers
        if kind == ASKS:  # for the turn to propose
            last = turn_free = max(now, turn_free) + costs.propose[0] + costs.propose[1] * num_ended
            busy += (length := lengths.pop())
            heapq.heappush(events, (last, FREE, driver))
            heapq.heappush(events, (last + length, ENDS, which))
            continue
        if kind == ENDS:
            has_trial[which] = True
            queues[driver].append(which)
        if (kind == ENDS and not idle[driver]) or not queues[driver]:
            idle[driver] = idle[driver] or kind == FREE
            continue
        idle[driver], gpu = False, queues[driver].popleft()
        if has_trial[gpu]:
            now += costs.conclude
            num_ended += 1
            if redraw_share is None or now >= next_redraw[driver]:
                took = costs.redraw[0] + costs.redraw[1] * (num_ended - drawn[driver])
                drawn[driver] = num_ended
                now += took
                next_redraw[driver] = now if redraw_share is None else now + took * (1 / redraw_share - 1)
        heapq.heappush(events, (now, ASKS, gpu))
    over = sum(max(0.0, end - last) for end, kind, _ in events if kind == ENDS)
    return (busy - over) / (gpus * last)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", choices=SIZES, default="sthv2")
    parser.add_argument(
        "--trials", type=int, default=4, help="of the study with scores of the data set's size"
    )
    parser.add_argument("--proposals", type=int, default=40, help="of the study of small scores")
    options = parser.parse_args()
    proposing = measure("small", options.proposals, draws=False)
    costs = replace(measure(options.dataset, options.trials, draws=True), propose=proposing.propose)
    print("share of the GPUs' time in trials; 5 trials a GPU")
    print(f"{'GPUs':>6} {'trial':>8} {'redrawn each time':>18} {'1 driver':>9} {'1 per 8 GPUs':>13}")
    for gpus in (8, 64, 256, 1000):
        for minutes in (10, 60, 600):
            ways = ((1, None), (1, 0.05), (max(1, gpus // 8), 0.05))
            shares = [share_in_trials(costs, gpus, d, minutes, 5 * gpus, share) for d, share in ways]
            print(f"{gpus:>6} {minutes:>4} min {shares[0]:>18.1%} {shares[1]:>9.1%} {shares[2]:>13.1%}")


if __name__ == "__main__":
    sys.exit(main())
