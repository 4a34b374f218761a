"""Faults of a trial: it fails alone, with its reason, and has a second chance where that helps."""

import ctypes
import os
import re

import numpy as np
import pytest
import torch
from optuna.trial import TrialState

from dynsearch.errors import StudyFailedError
from dynsearch.search.engines import End
from dynsearch.search.engines.faults import describe, describe_death, oom_kills
from dynsearch.search.evaluator import TrainingEvaluator
from dynsearch.study.record import failure_of
from dynsearch.training import TrainingConfig
from tests.search.toy import SPACE, ToyEvaluator, evaluations, run
from tests.training.fakes import ArraySource


def numpy_memory(job):
    if job.halvings == 0:
        np.empty(2**50)


def torch_memory(job):
    if job.halvings == 0:
        torch.empty(2**50)


def always_memory(job):
    torch.empty(2**50)


def crash(job):
    ctypes.string_at(0)


def exits(job):
    os._exit(7)


def device(job):
    raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")


class Faulty(ToyEvaluator):
    """Has a fault in trial 1."""

    def __init__(self, fault):
        super().__init__()
        self.fault = fault

    def __call__(self, job, monitor):
        if job.number == 1:
            (job.folder / "halvings.txt").open("a").write(f"{job.halvings}\n")
            self.fault(job)
        return super().__call__(job, monitor)


def run_faulty(path, fault):
    study, observer = run(path, Faulty(fault), max_gflops=1, num_trials=3)
    assert [study.trials[n].state for n in (0, 2)] == [TrialState.COMPLETE] * 2
    return study.trials[1], observer, (path / "trials/1/halvings.txt").read_text().split()


@pytest.mark.parametrize("fault", [numpy_memory, torch_memory])
@pytest.mark.reliability(
    "Processes",
    "a trial runs out of memory",
    happens="it is tried again with half the batch, in a clean process",
)
def test_out_of_memory_is_tried_again_with_half_the_batch(tmp_path, fault):
    trial, observer, halvings = run_faulty(tmp_path / "s", fault)
    assert trial.state == TrialState.COMPLETE
    assert halvings == ["0", "1"]
    assert [number for number, _ in observer.retries] == [1]
    assert "fault: out of memory" in trial.user_attrs
    processes = [process for number, process in evaluations(tmp_path / "s")]
    assert processes[0] != processes[1] == processes[2]  # a clean process after the fault


@pytest.mark.parametrize(
    ("fault", "halvings", "error"),
    [
        (always_memory, ["0", "1"], r"RuntimeError: .*can't allocate memory"),
        (crash, ["0", "0"], r"its process crashed \(signal 11, SIGSEGV\)"),
        (exits, ["0", "0"], r"its process ended \(exit code 7\)"),
        (device, ["0", "0"], "AcceleratorError: CUDA error: an illegal memory access"),
    ],
)
@pytest.mark.reliability(
    "Processes",
    "a trial crashes, exits or loses its device, twice",
    happens="it fails alone with the reason; the study goes on",
    sees="its process crashed (signal 11, SIGSEGV)",
)
def test_a_trial_that_cannot_be_helped_fails_alone_with_its_reason(tmp_path, fault, halvings, error):
    trial, observer, seen = run_faulty(tmp_path / "s", fault)
    assert trial.state == TrialState.FAIL
    assert seen == halvings
    assert [number for number, _ in observer.retries] == [1]
    assert [number for number, text in observer.ends if text] == [1]
    assert re.match(error, failure_of(trial))


CONFIG = TrainingConfig(epochs=1, batch_size=12, pretrained=False)


def test_a_real_training_whose_loss_is_no_number(tmp_path):
    hot = CONFIG.model_copy(update={"learning_rate": 1e30})
    small = SPACE.model_copy(update={"frames": SPACE.frames[:1]})
    with pytest.raises(
        StudyFailedError, match=r"every trial failed; .* the loss became (nan|inf) in epoch 1, step"
    ):
        run(tmp_path / "s", TrainingEvaluator(ArraySource(), hot, seed=0), small, max_gflops=1, num_trials=2)


def test_half_the_batch_and_twice_the_accumulation_is_the_same_step():
    for halvings, batch, accumulate in ((0, 12, 1), (1, 6, 2), (2, 3, 4), (3, 2, 8), (9, 1, 12)):
        config = CONFIG.halved(halvings)
        assert (config.batch_size, config.accumulate) == (batch, accumulate)


def test_kinds_and_words_of_errors():
    assert describe(torch.OutOfMemoryError("CUDA out of memory. Tried\nto allocate 20 GiB")) == (
        End.MEMORY, "OutOfMemoryError: CUDA out of memory. Tried to allocate 20 GiB",
    )  # fmt: skip
    assert describe(ValueError("x" * 9999))[0] == End.FAILED
    assert len(describe(ValueError("x" * 9999))[1]) <= 500


def test_a_kill_by_the_kernel_for_memory_is_told_from_other_kills():
    assert describe_death(-9, out_of_memory=True)[0] == End.MEMORY
    assert describe_death(-9, out_of_memory=False) == (
        End.DIED, "its process was killed (signal 9), perhaps out of memory",
    )  # fmt: skip
    assert oom_kills() >= 0
