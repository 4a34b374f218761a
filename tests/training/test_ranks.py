"""Two processes train as one does on batches twice as large. They are started once for all tests, and talk gloo."""

import itertools
import json
import multiprocessing
import os
import time

import numpy as np
import pytest
import torch

from dynsearch.data.loader import begin_epoch
from dynsearch.errors import TrainingError
from dynsearch.network.weights.files import load_weights, read_tensors
from dynsearch.scores import ExitScores
from dynsearch.training import TrainingConfig
from dynsearch.training.made import SCORES
from dynsearch.training.ranks import ALONE, joined_ranks
from dynsearch.training.run import train_and_score
from dynsearch.training.scorer import score
from dynsearch.training.stepper import Stepper
from tests.network.nets import lively_network, random_clips
from tests.training.fakes import ArraySource, Steps
from tests.training.test_resume import EVERYTHING
from tests.training.test_training import CONFIG, PLAN, assert_same, read_all

CPU = torch.device("cpu")
PAIR = CONFIG.model_copy(update={"epochs": 2, "batch_size": 6, "dropout": 0.0, "freeze_batch_norm": True})
"""Batch normalisation is frozen, because each process has statistics of its own."""
ONE = PAIR.model_copy(update={"batch_size": 12, "learning_rate": 2 * PAIR.learning_rate})
SPARE = {"used": (True, True), "left out": (False, False), "used by one": (True, False)}
"""Whether each process uses an exit that one-shot training, for instance, may leave out of a step."""


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Folders that two processes have written."""
    return made_by_two(work, tmp_path_factory.mktemp("pair"))


def made_by_two(work, folder):
    """Let two processes call ``work`` with their ranks and the folder, and return the folder."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=(rank, folder)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(600)
    assert [process.exitcode for process in processes] == [0, 0]
    return folder


def work(rank, folder):
    """All that the tests look at, in one of the two processes."""
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "GLOO_SOCKET_IFNAME": "lo"}
    own = folder / f"rank{rank}"
    join(folder / "first")
    with joined_ranks(600.0) as ranks:
        for name, used in SPARE.items():
            torch.save(gradients(used[rank], rank, 2, ranks), folder / f"{name}-{rank}.pt")
        scores = train_and_score(PLAN, ArraySource(), PAIR, own / "pair", seed=1, ranks=ranks)
        scores.test.save(folder / f"returned-{rank}.npz")
        train_and_score(PLAN, ArraySource(), EVERYTHING, own / "whole", seed=1, ranks=ranks)
        with pytest.MonkeyPatch.context() as patch:
            Steps(patch).stop_before = 6
            with pytest.raises(KeyboardInterrupt):
                train_and_score(
                    PLAN, ArraySource(), EVERYTHING, own / "resumed", seed=1, save_every_steps=1, ranks=ranks
                )
        train_and_score(
            PLAN, ArraySource(), EVERYTHING, own / "resumed", seed=1, save_every_steps=1, ranks=ranks
        )
    join(folder / "second")
    (wait_in_vain if rank == 0 else be_silent)(folder / "waited")


def join(folder):
    folder.mkdir(exist_ok=True)
    os.environ["DYNSEARCH_RANKS"] = str(folder)


def wait_in_vain(done):
    with pytest.raises(TrainingError) as error:
        with joined_ranks(2.0) as ranks:
            del os.environ["DYNSEARCH_RANKS"]  # As if started by torchrun.
            assert ranks.from_first(work_alone) == "made"
            ranks.gather(None)
    done.write_text(str(error.value))


def work_alone():
    time.sleep(4)
    return "made"


def be_silent(done):
    with joined_ranks(2.0) as ranks:
        assert ranks.from_first(work_alone) == "made", "the first may take longer than another is waited for"
        while not done.exists():
            time.sleep(0.1)
        os._exit(0)


class WithSpareExit(torch.nn.Module):
    """A network with one more exit, which gets no gradient where it is not used."""

    def __init__(self, network, used):
        super().__init__()
        self.network, self.used, self.spare = network, used, torch.nn.Linear(3, 3)
        self.plan, self.backbones = network.plan, network.backbones
        torch.nn.init.eye_(self.spare.weight)

    def forward(self, clips):
        logits = self.network(clips)
        return torch.cat([self.spare(logits[:1]), logits]) if self.used else logits


def gradients(used, first, step, ranks=ALONE):
    """Return the gradients of one step of two batches of videos ``first``, ``first + step``, ..."""
    torch.manual_seed(0)
    network = WithSpareExit(lively_network(PLAN, num_classes=3), used)
    stepper = Stepper(network, TrainingConfig(freeze_batch_norm=True, accumulate=2), CPU, ranks)
    found = {}

    def note(*_):
        grads = {name: value.grad for name, value in stepper.network.named_parameters()}
        found.update({name: grad.clone() for name, grad in grads.items() if grad is not None})

    stepper.optimizer.register_step_pre_hook(note)
    stepper.begin_epoch()
    for update in (False, True):
        clips, labels = random_clips(PLAN, batch=8, seed=int(update))[first::step], torch.arange(8) % 3
        stepper.step(clips, labels[first::step], 0.1, share=0.5, update=update)
    return found


@pytest.mark.parametrize("name", SPARE)
def test_gradients_are_those_of_one_process(pair, name):
    used = SPARE[name]
    if used[0] == used[1]:
        expected = gradients(used[0], 0, 1)
    else:
        parts = [gradients(used[rank], rank, 2) for rank in range(2)]
        expected = {key: sum(part.get(key, 0) for part in parts) / 2 for key in parts[0] | parts[1]}
    assert ("spare.weight" in expected) == any(used)
    for rank in range(2):
        together = torch.load(pair / f"{name}-{rank}.pt")
        assert together.keys() == expected.keys()
        for key, value in expected.items():
            torch.testing.assert_close(together[key], value, rtol=1e-5, atol=1e-5)


def test_training_is_that_of_one_process_with_the_same_global_batch(pair, tmp_path):
    train_and_score(PLAN, ArraySource(), ONE, tmp_path, seed=1)
    one, two = (
        read_tensors(folder / "weights.safetensors") for folder in (tmp_path, pair / "rank0" / "pair")
    )
    start = lively_network(PLAN, num_classes=3).state_dict()
    moved = [name for name in one if name in start and not torch.equal(one[name], start[name])]
    assert len(moved) > 10
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-4, atol=1e-5)
    lines = [
        [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        for folder in (tmp_path, pair / "rank0" / "pair")
    ]
    for alone, together in zip(*lines, strict=True):
        assert together["loss"] == pytest.approx(alone["loss"], rel=1e-5)
        assert together["top1"] == alone["top1"]
        assert together["learning_rate"] == alone["learning_rate"]


@pytest.mark.parametrize("split", SCORES)
def test_gathered_scores_are_those_of_one_process(pair, split):
    source, folder = ArraySource(), pair / "rank0" / "pair"
    network = lively_network(PLAN, num_classes=3)
    load_weights(network, folder / "weights.safetensors")
    loader = source.loader(split, PLAN, PAIR, training=False, seed=1)
    alone = score(network, loader, video_ids=source.video_ids(split), split=split, device=CPU)
    gathered = ExitScores.load(folder / f"scores-{split}.npz")
    np.testing.assert_array_equal(gathered.logits_ENK, alone.logits_ENK)
    np.testing.assert_array_equal(gathered.labels_N, alone.labels_N)
    np.testing.assert_array_equal(gathered.video_ids_N, alone.video_ids_N)


def test_every_process_returns_the_scores_and_the_first_writes_the_files(pair):
    a, b = (ExitScores.load(pair / f"returned-{rank}.npz") for rank in range(2))
    np.testing.assert_array_equal(a.logits_ENK, b.logits_ENK)
    assert not (pair / "rank1").exists()
    assert sorted(path.name for path in (pair / "rank0" / "pair").iterdir()) == [
        "metrics.jsonl", "plan.yaml", "scores-calibration.npz", "scores-test.npz", "tensorboard",
        "weights.safetensors",
    ]  # fmt: skip


def test_a_stopped_training_of_two_processes_ends_the_same(pair):
    assert_same(read_all(pair / "rank0" / "whole"), read_all(pair / "rank0" / "resumed"))


def test_waiting_for_a_silent_process_ends_with_a_message(pair):
    text = (pair / "waited").read_text()
    assert "process 0 waited for another one, which ended or did not answer within 2 seconds" in text
    assert "the same command again goes on" in text


@pytest.mark.parametrize(("num_videos", "batch_size"), [(36, 5), (33, 6), (7, 3), (2, 4)])
@pytest.mark.parametrize("num_ranks", [2, 3])
def test_processes_share_the_batches_of_one(monkeypatch, num_videos, batch_size, num_ranks):
    """The n-th batches of all are one process's n-th large batch; unshuffled, each batch is one of one process."""
    monkeypatch.setattr(ArraySource, "sizes", {"train": num_videos, "test": num_videos})

    def batches(split, size, ranks):
        config = CONFIG.model_copy(update={"batch_size": size})
        loader = ArraySource().loader(split, PLAN, config, training=split == "train", seed=3, ranks=ranks)
        begin_epoch(loader, 2)
        return list(loader.batch_sampler)

    ranks = [type(ALONE)(rank, num_ranks) for rank in range(num_ranks)]
    together = zip(*(batches("train", batch_size, each) for each in ranks), strict=True)
    shared = [sorted(itertools.chain(*parts)) for parts in together]
    alone = [sorted(batch) for batch in batches("train", batch_size * num_ranks, ALONE)]
    assert shared[:-1] == alone[:-1]
    assert set(shared[-1]) >= set(alone[-1])
    assert (
        sum(map(len, shared)) - num_videos == -num_videos % num_ranks
    )  # Filled up, so that all step equally often.
    scored = [batch for each in ranks for batch in batches("test", batch_size, each)]
    assert sorted(scored) == batches("test", batch_size, ALONE)
