import itertools
import math

import pytest
from pydantic import ValidationError

from dynsearch.study.recipe_file import load_recipe
from dynsearch.training import TrainingConfig
from dynsearch.training.schedule import learning_rate


def test_the_papers_steps():
    config = TrainingConfig()  # 0.01, divided by ten at epochs 25, 35 and 45
    rates = [learning_rate(config, epoch * 7, 7) for epoch in (0, 24, 25, 34, 35, 45, 49)]
    assert rates == pytest.approx([1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-5, 1e-5])


def test_cosine_falls_from_the_top_to_zero_after_a_linear_warm_up():
    config = TrainingConfig(epochs=10, learning_rate=0.4, schedule="cosine", warmup_epochs=2)
    rates = [learning_rate(config, step, 5) for step in range(50)]
    assert rates[:10] == pytest.approx([0.04 * (step + 1) for step in range(10)])
    assert rates[10] == pytest.approx(0.4)
    assert rates[30] == pytest.approx(0.4 * 0.5 * (1 + math.cos(math.pi / 2)))
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))
    assert rates[-1] < 0.003


def test_mixed_precision_is_off_where_yaml_reads_off_as_false():
    assert TrainingConfig(amp=False).amp == "off"
    assert load_recipe("motions", settings=["training.amp=off"])[0].training.amp == "off"
    with pytest.raises(ValidationError, match="must not be true or false"):
        TrainingConfig(amp=True)


@pytest.mark.parametrize(
    "field",
    [
        {"epochs": 0},
        {"learning_rate": -1},
        {"schedule": "linear"},
        {"dropout": 1.0},
        {"lr": 0.1},
        {"amp": "fp8"},
    ],
)
def test_nonsense_is_refused(field):
    with pytest.raises(ValidationError):
        TrainingConfig(**field)
