"""What the engines cost: start-up, seconds per trial beside the training, trials an hour with 1 and 2 workers.

    OMP_NUM_THREADS=1 python benchmarks/scaling.py [--engines local,ray] [--repeats 3]

Prints ratios with their goals. Start-up and seconds a trial are the shortest of several runs, so that a busy machine
disturbs them little, and beside them is the driver's own CPU time. Evaluations are of fixed length (a loop of small
matrix products in the worker), so that all else is the engine's.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from dynsearch.measures import COUNTED
from dynsearch.search.engines import Engine, LocalEngine, RayEngine, slot
from dynsearch.search.engines.engine import Job, Monitor
from dynsearch.space import SearchSpace

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
ENGINES: dict[str, Callable[..., Engine]] = {"local": LocalEngine, "ray": RayEngine}


class Work:
    """Keeps one core busy for about so many seconds, then writes small exit scores.

    Args:
        rounds: Matrix products; how long they take is measured by ``calibrated``.
    """

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds

    def __call__(self, job: Job, monitor: Monitor) -> None:
        """Work, and leave exit scores in the job's folder."""
        from dynsearch.families import cost_table
        from dynsearch.scores import ExitScores

        products(self.rounds)
        rng = np.random.default_rng(int(job.plan.plan_id, 16) % 2**32)
        cost_E = np.array(cost_table(job.plan, NUM_CLASSES).cost_E)
        for split in ("calibration", "test"):
            labels_N = rng.integers(0, NUM_CLASSES, 120)
            logits_ENK = rng.normal(size=(len(cost_E), 120, NUM_CLASSES)).astype(np.float32)
            scores = ExitScores.from_logits(
                logits_ENK,
                labels_N,
                cost_E,
                video_ids=[f"{split}{i}" for i in range(120)],
                plan_id=job.plan.plan_id,
                split=split,
            )
            scores.save(job.folder / f"scores-{split}.npz")


def products(rounds: int) -> None:
    matrix = np.random.default_rng(0).normal(size=(64, 64)) / 64
    for _ in range(rounds):
        matrix = matrix @ matrix


def calibrated(seconds: float) -> int:
    products(1000)
    started = time.perf_counter()
    products(20_000)
    return int(20_000 * seconds / (time.perf_counter() - started))


def run(make: Callable[..., Engine], rounds: int, num_trials: int, workers: int) -> tuple[float, list[float]]:
    """Return the driver's seconds of CPU, and when each trial ended, from the first proposal on."""
    from dynsearch.search.driver import Driver
    from dynsearch.study.folder import StudyFolder
    from dynsearch.study.recipe import StudyRecipe
    from dynsearch.study.record import open_record

    ends: list[float] = []

    class Clock:
        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *_: ends.append(time.perf_counter() - started) if name == "ended" else None

    recipe = StudyRecipe(
        dataset="none", space="none", max_gflops=1.0, num_trials=num_trials, strategy="retrain"
    )
    with tempfile.TemporaryDirectory() as root:
        folder = StudyFolder(Path(root) / "study")
        folder.record(recipe, SPACE)
        study = open_record(folder, create=COUNTED)
        started, cpu = time.perf_counter(), time.process_time()
        with contextlib.closing(make(Work(rounds), num_slots=workers)) as engine:
            Driver(study, recipe, SPACE, engine, folder, NUM_CLASSES, Clock(), lambda: None).run()
        return time.process_time() - cpu, ends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engines", default="local,ray")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="length of a trial of the rate's measurement; 0 for none"
    )
    options = parser.parse_args()

    slot.warm_up()  # as the command does first of all, so that torch is imported meanwhile
    import dynsearch.search.driver
    import dynsearch.search.evaluator  # noqa: F401

    rounds = calibrated(options.seconds)
    for name in options.engines.split(","):
        make = ENGINES[name]
        runs = [run(make, 0, options.trials, 1) for _ in range(options.repeats)]
        start_up = min(ends[0] for _, ends in runs)
        per_trial = min(median(np.diff(ends)) for _, ends in runs)
        cpu = min(cpu for cpu, _ in runs) / options.trials
        print(
            f"{name}: first trial ended after {start_up:.2f} s, beyond importing torch (goal of local: 1 s)"
        )
        print(
            f"{name}: {per_trial:.3f} s a trial beside the training, {100 * per_trial / 60:.2f}% of a trial of one "
            f"minute (goal: 2%); {cpu:.3f} s of the driver's CPU"
        )
        if options.seconds <= 0:
            continue
        rates = {}
        for workers in (1, 2):
            _, ends = run(make, rounds, options.trials, workers)
            rates[workers] = 3600 * (len(ends) - workers) / (ends[-1] - ends[workers - 1])
            print(f"{name}, {workers} workers: {rates[workers]:.0f} trials of {options.seconds:g} s an hour")
        print(f"{name}: 2 workers are {rates[2] / rates[1]:.2f} times as fast as 1")


if __name__ == "__main__":
    main()
