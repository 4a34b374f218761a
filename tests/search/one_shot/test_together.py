"""Two processes train and score a one-shot network as one does on batches twice as large. They talk gloo."""

import os

import numpy as np
import pytest
import torch

from dynsearch.families.grid.choices import sample_trunk
from dynsearch.families.grid.one_shot import FedNetwork
from dynsearch.network.losses import sum_of_cross_entropies
from dynsearch.network.weights.files import read_tensors
from dynsearch.scores.score_grid import ScoreGrid
from dynsearch.search.engines import Job
from dynsearch.search.one_shot.sandwich import SandwichTraining, weighted
from dynsearch.search.one_shot.training import build_one_shot, order_file
from dynsearch.study.run_settings import RunSettings
from dynsearch.training.config import RefitConfig
from dynsearch.training.made import facts_in
from dynsearch.training.ranks import ALONE, joined_ranks
from dynsearch.training.seeding import seed_torch
from dynsearch.training.stepper import Stepper
from tests.search.one_shot.draws import ToyDraws
from tests.search.one_shot.test_training_and_scoring import CONFIG, SETTINGS, SHAPE, SPACE, library
from tests.training.fakes import ArraySource, Steps
from tests.training.test_ranks import join, made_by_two

PAIR = CONFIG.model_copy(
    update={"batch_size": 6, "dropout": 0.0, "freeze_batch_norm": True, "learning_rate": 0.02}
)
ONE = PAIR.model_copy(update={"batch_size": 12, "learning_rate": 0.04})
DROPPED = PAIR.model_copy(update={"dropout": 0.2, "refit_heads": RefitConfig(passes=1, seeds=1, epochs=2)})
ORDERS = ("paper", "sequential")
AS_THEY_ARE = SETTINGS.model_copy(update={"norm_batches": 0})
"""Statistics of an order would be of smaller batches."""
EVERY_STEP = RunSettings(save_every_steps=1)
WEIGHTS = f"{SHAPE.folder_name}/weights.safetensors"


def jobs(folder):
    """The network's job, and those of two orders."""
    trunks = [
        sample_trunk(SPACE, ToyDraws({"frames": "4 frames in 4 sets", "frame_order": o})) for o in ORDERS
    ]
    network = Job(0, SHAPE.finest_trunk(SPACE), folder / SHAPE.folder_name, kind="network")
    return network, [Job(number, trunk, folder, kind="order") for number, trunk in enumerate(trunks)]


def made(folder, config, **changes):
    """Train and score by jobs, as an engine's processes do."""
    network, orders = jobs(folder)
    for job in (network, *orders):
        library(folder, config=config, **changes).make(job, None)


def gradients(rank, ranks=ALONE):
    """Return what one step of two batches draws and its gradients; of ``ranks`` each has a part of the videos."""
    torch.manual_seed(0)
    network = build_one_shot(SHAPE.finest_trunk(SPACE), SPACE, 3, SETTINGS)
    training = SandwichTraining(network, SPACE, 3)
    config = PAIR.model_copy(update={"accumulate": 2})
    stepper = Stepper(training, config, torch.device("cpu"), ranks, weighted(sum_of_cross_entropies, 3))
    found, drawn = {}, []
    stepper.optimizer.register_step_pre_hook(
        lambda *_: found.update(
            {n: v.grad.clone() for n, v in training.named_parameters() if v.grad is not None}
        )
    )
    stepper.begin_epoch()
    clips, labels = (
        torch.randn(16, 4, 3, 32, 32, generator=torch.Generator().manual_seed(1)),
        torch.arange(16) % 3,
    )
    for part in (slice(0, 8), slice(8, 16)):
        seed_torch(0, "batch", part.start)
        training.draw()
        drawn.append(str(training._drawn))
        seed_torch(0, "batch", part.start, ranks.rank)
        own = slice(rank, None, ranks.count)
        stepper.step(clips[part][own], labels[part][own], 0.1, share=0.5, update=part.start > 0)
    return found, drawn


def work(rank, folder):
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "GLOO_SOCKET_IFNAME": "lo"}
    join(folder / "met")
    with joined_ranks(600.0) as ranks:
        torch.save(gradients(rank, ranks), folder / f"gradients-{rank}.pt")
        made(folder / "pair", PAIR, settings=AS_THEY_ARE)
        made(folder / "whole", DROPPED)
        with pytest.MonkeyPatch.context() as patch:
            Steps(patch).stop_before = 4
            network, _ = jobs(folder / "resumed")
            with pytest.raises(KeyboardInterrupt):
                library(folder / "resumed", config=DROPPED, run=EVERY_STEP).make(network, None)
        made(folder / "resumed", DROPPED)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """What two processes have made."""
    return made_by_two(work, tmp_path_factory.mktemp("pair"))


def grids(folder):
    return [
        ScoreGrid.load(folder / SHAPE.folder_name / "grids" / job.plan.plan_id) for job in jobs(folder)[1]
    ]


def test_both_draw_the_same_and_gradients_are_those_of_one_process(pair):
    expected, drawn = gradients(0)
    assert len(set(drawn)) == 2
    for rank in range(2):
        together, drawn_there = torch.load(pair / f"gradients-{rank}.pt")
        assert drawn_there == drawn
        assert together.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(together[name], value, rtol=1e-5, atol=1e-5)


def test_the_network_is_that_of_one_process_with_the_same_global_batch(pair, tmp_path):
    made(tmp_path, ONE, settings=AS_THEY_ARE)
    one, two = (read_tensors(folder / WEIGHTS) for folder in (tmp_path, pair / "pair"))
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-4, atol=1e-5)
    for alone, together in zip(grids(tmp_path), grids(pair / "pair"), strict=True):
        np.testing.assert_allclose(together.logits_SMNK, alone.logits_SMNK, rtol=2e-3, atol=2e-3)
        np.testing.assert_array_equal(together.labels_N, alone.labels_N)
    assert facts_in(pair / "pair" / WEIGHTS)["processes"] == 2


def test_stopped_at_a_step_it_ends_the_same(pair):
    whole, resumed = (read_tensors(pair / name / WEIGHTS) for name in ("whole", "resumed"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    for one, other in zip(grids(pair / "whole"), grids(pair / "resumed"), strict=True):
        np.testing.assert_array_equal(one.logits_SMNK, other.logits_SMNK)


def test_a_grid_is_scored_by_two_as_by_one(pair):
    folder, source = pair / "whole", ArraySource()
    for job, grid in zip(jobs(folder)[1], grids(folder), strict=True):
        network = build_one_shot(SHAPE.finest_trunk(SPACE), SPACE, 3, SETTINGS)
        network.load_state_dict(read_tensors(folder / WEIGHTS) | read_tensors(order_file(folder, job.plan)))
        fed = FedNetwork(network, job.plan).to(memory_format=torch.channels_last).eval()
        loader = source.loader("calibration", job.plan, DROPPED, training=False, seed=0)
        with torch.inference_mode():
            logits = torch.cat([fed(clips) for clips, _, _ in loader], dim=1)
        np.testing.assert_array_equal(grid.logits_SMNK.reshape(12, 30, 3), logits.half().numpy())
