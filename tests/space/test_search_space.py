import optuna
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dynsearch import resources
from dynsearch.errors import SpaceError
from dynsearch.families.grid.choices import exit_params, sample_trunk, trunk_choices
from dynsearch.plan import FrameOrder
from dynsearch.space import SearchSpace

SPACES = resources.names("search_spaces")
VALUES = {
    "backbones": ["test_resnet"],
    "frames": [{"num_frames": 4, "num_sets": 4}, {"num_frames": 8, "num_sets": 4}],
    "image_sizes": [32],
    "frame_orders": ["sequential", "paper"],
    "across_groups": [True, False],
    "exits": {"min_exits": 1, "max_exits": 4, "min_depth": 2, "max_depth": 5},
}


class Drawn:
    """A trial whose every choice hypothesis makes."""

    def __init__(self, data):
        self.data = data
        self.asked = {}

    def suggest_categorical(self, name, choices):
        self.asked[name] = self.data.draw(st.sampled_from(choices), label=name)
        return self.asked[name]

    def suggest_int(self, name, low, high):
        self.asked[name] = self.data.draw(st.integers(low, high), label=name)
        return self.asked[name]


@pytest.mark.parametrize("last", ["full", "free"])
@given(data=st.data())
def test_every_sample_is_a_plan_of_the_space(last, data):
    space = SearchSpace.model_validate(VALUES | {"exits": VALUES["exits"] | {"last": last}})
    trial = Drawn(data)
    plan = space.sample(trial)
    assert 1 <= len(plan.exits) <= 4
    assert all(2 <= exit_.depth <= 5 for exit_ in plan.exits.exits)
    assert (plan.num_frames, plan.num_sets) in {(4, 4), (8, 4)}
    if last == "full":
        assert (plan.exits.last.sets, plan.exits.last.depth) == (plan.num_sets, 5)
    again = optuna.trial.FixedTrial(trial.asked | exit_params(space, plan.exits))
    assert space.sample(again) == plan
    assert set(trial.asked) >= {"frames", "frame_order"}
    assert "backbone" not in trial.asked  # one choice only


@given(data=st.data())
def test_free_orders_are_named_ones_with_sets_moved(data):
    space = SearchSpace.model_validate(VALUES | {"order_moves": 2})
    trial = Drawn(data)
    plan = space.sample(trial)
    moves = trial.asked["order_moves"]
    assert [name for name in trial.asked if name.startswith("move")] == [
        f"move{k}.{end}" for k in range(1, moves + 1) for end in ("from", "to")
    ]
    if moves == 0:
        assert plan.frame_order == FrameOrder.named(trial.asked["frame_order"], 4)
    assert trunk_choices(space) is None


def test_trunks_are_all_plans_apart_from_their_exits():
    space = SearchSpace.model_validate(VALUES)
    trunks = {sample_trunk(space, optuna.trial.FixedTrial(params)) for params in trunk_choices(space)}
    # 2 frame grids x 2 orders x 2 borders, but the plain order has one group and no border.
    assert len(trunk_choices(space)) == 8
    assert len(trunks) == 6
    assert {str(trunk.exits) for trunk in trunks} == {"4x5"}


@pytest.mark.parametrize("name", SPACES)
def test_shipped_spaces_work_with_optuna(name):
    space = SearchSpace.load(resources.find("search_spaces", name))
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=optuna.samplers.TPESampler(multivariate=True, seed=0)
    )
    seen = set()
    for _ in range(30):
        trial = study.ask()
        plan = space.sample(trial)
        seen.add(plan.plan_id)
        study.tell(trial, (float(len(plan.exits)), float(plan.num_frames)))
    assert len(seen) > 10


def test_the_same_parameters_give_the_same_plan():
    space = SearchSpace.model_validate(VALUES)
    params = {"frames": "8 frames in 4 sets", "frame_order": "paper", "shift_across_groups": False, "num_exits": 3,
              "exit1.sets": 3, "exit1.depth": 4, "exit2.sets": 2, "exit2.depth": 3}  # fmt: skip
    plan = space.sample(optuna.trial.FixedTrial(params))
    assert str(plan.exits) == "2x3 3x4 4x5"
    assert plan == space.sample(optuna.trial.FixedTrial(params))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"backbones": []}, "backbones"),
        ({"frames": [{"num_frames": 5, "num_sets": 2}]}, "num_frames=5 is not a multiple of num_sets=2"),
        ({"frame_orders": ["papper"]}, "there is no frame order 'papper'"),
        ({"exits": {"max_depth": 2, "min_depth": 3}}, "must not exceed"),
        ({"colour": 1}, "colour: unknown field"),
        (
            {"heads": ["conv", "convv"]},
            "heads.1: there is no exit head 'convv'. Did you mean conv? Known: linear",
        ),
        ({"heads": ["conv+conv+conv"]}, "Give one, or two joined by '+'"),
        ({"image_sizes": ["large"]}, "image_sizes.0"),
        ({"temporal_shifts": ["bidirectional"]}, "temporal_shifts.0"),
    ],
)
def test_wrong_fields_are_named_with_the_file(tmp_path, change, says):
    path = tmp_path / "space.yaml"
    path.write_text(yaml.safe_dump(VALUES | change))
    with pytest.raises(SpaceError) as caught:
        SearchSpace.load(path)
    assert "space.yaml: " in str(caught.value)
    assert says in str(caught.value)


def test_all_mistakes_are_listed_at_once(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(yaml.safe_dump(VALUES | {"colour": 1, "backbones": 3, "image_sizes": [2]}))
    with pytest.raises(SpaceError) as caught:
        SearchSpace.load(path)
    assert str(caught.value).count(";") == 2


def test_another_space_has_another_fingerprint():
    space = SearchSpace.model_validate(VALUES)
    assert space.fingerprint == SearchSpace.model_validate(VALUES).fingerprint
    assert space.fingerprint != SearchSpace.model_validate(VALUES | {"image_sizes": [48]}).fingerprint
