"""Ray Tune, told what to run by the driver: a searcher without a will of its own, and a callback that listens."""

import os
import queue
from pathlib import Path
from typing import Any, Self

import ray
from ray import tune
from ray.tune import Callback, RunConfig, Stopper, TuneConfig, Tuner
from ray.tune.search import Searcher

from dynsearch.errors import InputError
from dynsearch.search.engines.engine import End, Evaluator, Job, Outcome, Rung
from dynsearch.search.engines.ray_wires import Wires
from dynsearch.search.engines.worker import Ended, evaluate
from dynsearch.training.loop import EpochReport
from dynsearch.training.progress import StepReport

_PATIENCE_SECONDS = 0.5


def run_tune(evaluator: Evaluator, wires: Wires, *, num_slots: int, gpus: float | None, folder: Path) -> None:
    """Run jobs as Tune trials until the wires are closed.

    ``gpus`` of a trial; None means one where the cluster has any. ``folder`` is where Tune keeps its own record, which
    nobody reads.
    """
    if gpus is None:
        gpus = min(1.0, ray.cluster_resources().get("GPU", 0.0))
    trainable = tune.with_parameters(_train, evaluator=evaluator, cwd=str(Path.cwd()))
    Tuner(
        tune.with_resources(trainable, {"cpu": 1, "gpu": gpus}),
        tune_config=TuneConfig(
            search_alg=_Submitted(wires),
            num_samples=-1,
            max_concurrent_trials=num_slots,
            reuse_actors=True,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=RunConfig(
            storage_path=str(folder),
            verbose=0,
            callbacks=[_Listener(wires)],
            stop=_Brake(wires),
        ),
    ).fit()


def _name(trial: Any) -> str:
    return f"trial-{trial.config['job'].number}-{trial.trial_id}"


def _train(config: dict[str, Any], evaluator: Evaluator, cwd: str) -> None:
    """Evaluate one job, in an actor that may have done others before."""
    if os.path.isdir(cwd):
        os.chdir(cwd)
    ended = evaluate(evaluator, config["job"], _Reporter())
    tune.report({"ended": ended})


class _Reporter:
    """An evaluation's way to tell; Tune stops a trial inside it."""

    def epoch(self, report: EpochReport) -> None:
        tune.report({"epoch": report})

    def rung(self, epoch: int, top1: float) -> None:
        tune.report({"rung": (epoch, top1)})

    def step(self, report: StepReport) -> None:
        """Nothing: a cluster is told of whole epochs."""


class _Stays:
    """Stays in this process: Tune's record of an experiment, which nobody reads, holds none of its state."""

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _Submitted(_Stays, Searcher):
    """Suggests what the driver submitted, and nothing else.

    With no trial under way it waits for the driver a moment: Tune would sleep two seconds, one of them after the job
    has come.
    """

    def __init__(self, wires: Wires) -> None:
        super().__init__(metric=None, mode=None)
        self._wires = wires
        self._under_way: set[str] = set()

    def suggest(self, trial_id: str) -> Any:
        try:
            job = self._wires.jobs.get(timeout=0 if self._under_way else _PATIENCE_SECONDS)
        except queue.Empty:
            return Searcher.FINISHED if self._wires.closing.is_set() else None
        self._under_way.add(trial_id)
        return {"job": job}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        self._under_way.discard(trial_id)

    def save(self, checkpoint_path: str) -> None:
        pass

    def restore(self, checkpoint_path: str) -> None:
        pass


class _Brake(_Stays, Stopper):
    """Stops a trial at a rung if the driver says so, and all once the driver wants to end."""

    def __init__(self, wires: Wires) -> None:
        self._wires = wires

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        if "rung" in result and "ended" not in result:
            self._wires.events.put(Rung(result["config"]["job"], *result["rung"]))
            return not self._wires.answers.get()
        return self._wires.stopping.is_set()

    def stop_all(self) -> bool:
        return False


class _Listener(_Stays, Callback):
    """Turns what Tune hears of its trials into events for the driver."""

    def __init__(self, wires: Wires) -> None:
        self._events = wires.events
        self._ended: set[str] = set()

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
        job: Job = trial.config["job"]
        ended: Ended | InputError | None = result.get("ended")
        if isinstance(result.get("epoch"), EpochReport):
            self._events.put((job, result["epoch"]))
        if ended is None or trial.trial_id in self._ended:
            return
        self._ended.add(trial.trial_id)
        outcome = ended if isinstance(ended, InputError) else Outcome(job, ended.end, error=ended.error)
        self._events.put(outcome)

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        if trial.trial_id not in self._ended:
            self._events.put(Outcome(trial.config["job"], End.STOPPED))

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        if trial.trial_id in self._ended:
            return
        error = trial.get_error()
        is_memory = isinstance(error, ray.exceptions.OutOfMemoryError)
        reason = f"its process was lost: {' '.join(str(error).split())[:300]}"
        self._events.put(Outcome(trial.config["job"], End.MEMORY if is_memory else End.DIED, error=reason))
