"""A family from outside the package is one like the others: read, sampled, costed, trained, stopped early."""

import numpy as np
import optuna
import pytest
import torch
import yaml

from dynsearch.errors import PlanError, SpaceError
from dynsearch.families import build_network, cost_table, family_of
from dynsearch.plan import FAMILIES, Plan, family_name
from dynsearch.space import SearchSpace
from dynsearch.thresholds import ExitPolicy
from dynsearch.training import TrainingConfig
from dynsearch.training.run import train_and_score
from tests.families.grid.test_progressive import stop_at
from tests.families.toy_family import ToyFamily
from tests.network.nets import random_clips
from tests.space.test_search_space import VALUES
from tests.training.fakes import ArraySource

SECTION = {"families": ["toy", "grid"], "toy": {"widths": [4, 8]}}


@pytest.fixture(autouse=True)
def families(monkeypatch):
    """The registry, with what is added gone afterwards."""
    before = SearchSpace.model_validate(VALUES).fingerprint
    monkeypatch.setattr(FAMILIES, "_values", dict(FAMILIES._values))
    FAMILIES.register("toy", ToyFamily())
    assert SearchSpace.model_validate(VALUES).fingerprint == before, "spaces without toys stay what they were"
    return FAMILIES


@pytest.fixture
def space(tmp_path):
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(VALUES | SECTION))
    return SearchSpace.load(tmp_path / "space.yaml")


@pytest.fixture
def plan(space):
    return space.only(["toy"]).sample(optuna.trial.FixedTrial({"toy.width": 8}))


def test_its_section_is_part_of_the_space(space, tmp_path):
    assert SearchSpace.model_validate(space.model_dump(mode="json")).fingerprint == space.fingerprint
    other = SearchSpace.model_validate(VALUES | SECTION | {"toy": {"widths": [4]}})
    assert other.fingerprint != space.fingerprint
    assert [plan.options.width for plan in space.only(["toy"]).cheapest_plans()] == [4]
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(VALUES | SECTION | {"toy": {"widths": ["x"]}}))
    with pytest.raises(SpaceError, match=r"toy\.widths\.0: Input should be a valid integer"):
        SearchSpace.load(tmp_path / "space.yaml")
    with pytest.raises(SpaceError, match="the family toy needs a section 'toy'"):
        SearchSpace.model_validate(VALUES).only(["toy"])


def test_its_plans_survive_the_file(plan, tmp_path):
    plan.save(tmp_path / "plan.yaml")
    again = Plan.load(tmp_path / "plan.yaml")
    assert (again, again.plan_id, family_name(again)) == (plan, plan.plan_id, "toy")
    values = yaml.safe_load((tmp_path / "plan.yaml").read_text())
    with pytest.raises(PlanError, match="options: width: must be at least 1, got 0"):
        Plan.from_dict(values | {"options": {"width": 0}})
    with pytest.raises(PlanError, match="options: the family toy needs its options"):
        Plan.from_dict(values | {"options": None})


def test_it_is_costed_by_hand_and_really_stops(plan):
    network, clips = build_network(plan, 5).eval(), random_clips(plan)
    a_frame = 3 * 8 * 5 * 5 * 7 * 7  # 32 pixels are seen at 7 x 7 places
    expected = [(frames * a_frame + k * 8 * 5) / 1e9 for k, frames in enumerate(network.ends, start=1)]
    assert cost_table(plan, 5).cost_E == pytest.approx(expected)
    with torch.inference_mode():
        logits_EBK = network(clips)
    for k in range(len(plan.exits)):
        result = network.forward_until(clips, stop_at(k, len(plan.exits)))
        torch.testing.assert_close(result.logits, logits_EBK[k])
        np.testing.assert_allclose(result.cost, expected[k])


def test_it_is_trained(plan, tmp_path):
    config = TrainingConfig(epochs=30, batch_size=8, learning_rate=0.05, dropout=0, part_rates={"eye": 2.0})
    scores = train_and_score(plan, ArraySource(), config, tmp_path, seed=1)
    assert scores.test.plan_id == plan.plan_id
    assert scores.test.correct()[-1].mean() > 0.6  # chance is a third
    assert (tmp_path / "weights.safetensors").is_file()


def test_what_it_does_not_say_has_a_default(plan):
    family = family_of(plan)
    network = build_network(plan, 5)
    assert network.backbones == ()
    assert family.base(plan) is None
    assert family.online(network, ExitPolicy.never_early(len(plan.exits))) is None


def test_what_is_no_family_is_refused(families):
    families.register("half", object())
    with pytest.raises(SpaceError, match="registered as half, is no network family"):
        SearchSpace.model_validate(VALUES).only(["half"])
