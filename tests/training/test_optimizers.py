"""Optimizers and schedules by name: SGD as ever, timm's, and a user's own; stopped and gone on with."""

import math

import pytest
import torch

from dynsearch import OPTIMIZERS
from dynsearch.errors import InputError, RecipeError
from dynsearch.study.recipe_file import load_recipe
from dynsearch.training.config import TrainingConfig
from dynsearch.training.optimizers import make_optimizer
from dynsearch.training.run import train_and_score
from dynsearch.training.schedule import learning_rate
from tests.training.fakes import ArraySource
from tests.training.test_training import CONFIG, PLAN, assert_an_interruption_changes_nothing


def moved(make, steps=3):
    """Return a parameter after some steps of gradient descent on the sum of its squares."""
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0, 3.0]))
    optimizer = make([{"params": [weight], "part_rate": 1.0}])
    for _ in range(steps):
        optimizer.zero_grad()
        (weight**2).sum().backward()
        optimizer.step()
    return weight.detach()


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_takes_torchs_steps(nesterov):
    config = TrainingConfig(nesterov=nesterov, learning_rate=0.1)
    options = {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4, "nesterov": nesterov}
    ours = moved(lambda groups: make_optimizer(groups, config))
    assert torch.equal(ours, moved(lambda groups: torch.optim.SGD(groups, **options)))


def test_adamw_takes_torchs_steps_and_decays_all_parameters():
    config = TrainingConfig(optimizer="adamw", learning_rate=0.1, weight_decay=0.3)
    ours = moved(lambda groups: make_optimizer(groups, config))
    assert torch.equal(ours, moved(lambda groups: torch.optim.AdamW(groups, lr=0.1, weight_decay=0.3)))


@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_a_training_with_any_optimizer_ends_the_same_when_interrupted(tmp_path, name):
    config = CONFIG.model_copy(update={"optimizer": name, "learning_rate": 0.002, "schedule": "poly"})
    assert_an_interruption_changes_nothing(tmp_path, config)


def test_a_users_own_is_registered(tmp_path):
    made = []

    def own(groups, *, lr, weight_decay, **_):
        made.append((lr, weight_decay, [group["part_rate"] for group in groups]))
        return torch.optim.Adam(groups, lr=lr)

    OPTIMIZERS.register("test-own", own)
    config = CONFIG.model_copy(update={"optimizer": "test-own", "epochs": 1, "part_rates": {"heads": 2.0}})
    train_and_score(PLAN, ArraySource(), config, tmp_path)
    ((lr, decay, rates),) = made
    assert (lr, decay, sorted(rates)) == (0.05, 5e-4, [1.0, 2.0])


def test_an_unknown_one_is_refused_when_the_recipe_is_read():
    with pytest.raises(
        RecipeError, match=r"training\.optimizer: there is no optimizer 'sgdd' \(Did you mean sgd\?"
    ):
        load_recipe("motions", settings=["training.optimizer=sgdd"])
    assert load_recipe("motions", settings=["training.optimizer=adamw"])[0].training.optimizer == "adamw"
    with pytest.raises(InputError, match="there is no optimizer 'x'.*timm's: "):
        make_optimizer([], TrainingConfig(optimizer="x"))


def test_timms_schedules_begin_after_the_warm_up_and_fall_to_zero():
    poly = TrainingConfig(schedule="poly", learning_rate=0.2, epochs=6, warmup_epochs=1)
    rates = [learning_rate(poly, step, 10) for step in range(60)]
    assert rates[:10] == [pytest.approx(0.2 * (step + 1) / 10) for step in range(10)]
    assert rates[10:] == [pytest.approx(0.2 * math.sqrt(1 - step / 50)) for step in range(50)]
    tanh = TrainingConfig(schedule="tanh", learning_rate=0.2, epochs=5)
    rates = [learning_rate(tanh, step, 10) for step in range(50)]
    assert rates == [pytest.approx(0.1 * (1 - math.tanh(-7 * (1 - s / 50) + 3 * s / 50))) for s in range(50)]
