import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynsearch.errors import SpaceError
from dynsearch.families import cost_table
from dynsearch.plan import family_name
from dynsearch.space import SearchSpace
from tests.plans import small_plan
from tests.space.test_search_space import VALUES, Drawn

TESTS = (
    "dynsearch.families.adafocus.choices",
    "dynsearch.families.sfc.choices",
)

FAMILIES = ["grid", "adafocus", "sfc", "tsn", "tsm"]
SECTIONS = {
    "adafocus": {
        "global_backbones": ["test_resnet", "test_byobnet"],
        "local_backbones": ["test_resnet"], "patch_sizes": [16, 24], "global_frames": [None, 2],
        "temporal_shifts": ["none", "online"], "global_sizes": [None, 24], "policy_width": 16, "classifier_width": 16,
    },
    "sfc": {
        "num_frames": [8], "splits": [2, 3], "time_ratios": [2, 4], "side_ratios": [1, 2], "num_exits": [1, 2],
        "temporal_shifts": ["none", "online", "bidirectional"],
    },
}  # fmt: skip
SPACE = SearchSpace.model_validate(VALUES | SECTIONS | {"families": FAMILIES})


@settings(deadline=None)
@given(st.sampled_from(FAMILIES), st.data())
def test_every_family_gives_plans_of_its_own(family, data):
    space = SPACE.only([family])
    plan = space.sample(Drawn(data))
    assert family_name(plan) == family
    assert plan.image_size == 32
    assert plan.num_frames in (4, 8)


@given(st.data())
def test_the_family_is_a_choice_like_others(data):
    trial = Drawn(data)
    assert family_name(SPACE.sample(trial)) == trial.asked["family"]


def test_the_same_parameters_give_the_same_plan():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        trial = study.ask()
        plan = SPACE.sample(trial)
        assert SPACE.sample(optuna.trial.FixedTrial(trial.params)) == plan


def test_no_plan_has_a_cheaper_first_exit_than_the_cheapest():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for family in FAMILIES:
        space = SPACE.only([family])
        cheapest = min(cost_table(plan, 4).cost_E[0] for plan in space.cheapest_plans())
        found = [cost_table(space.sample(study.ask()), 4).cost_E[0] for _ in range(12)]
        assert cheapest <= min(found) * (1 + 1e-12)
    assert {family_name(plan) for plan in SPACE.cheapest_plans()} >= {"adafocus", "sfc", "tsm"}


def test_a_space_of_one_family_asks_for_none():
    """Grid spaces written before there were families mean what they meant."""
    space = SearchSpace.model_validate(VALUES)
    assert space.families == ["grid"]
    assert SearchSpace.model_validate(VALUES | {"family": "grid"}) == space
    params = {
        "frames": "8 frames in 4 sets",
        "frame_order": "paper",
        "shift_across_groups": False,
        "num_exits": 1,
    }
    assert str(space.sample(optuna.trial.FixedTrial(params)).exits) == "4x5"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"families": ["adafocus"], "adafocus": None}, "the family adafocus needs a section 'adafocus'"),
        (
            {"families": ["forest"]},
            "families.0: there is no network family 'forest'. Known: grid, adafocus",
        ),
        ({"families": []}, "families: List should have at least 1 item"),
        ({"adafocus": SECTIONS["adafocus"] | {"patch_sizes": [64]}}, "adafocus.patch_sizes must not exceed"),
        (
            {"adafocus": SECTIONS["adafocus"] | {"global_sizes": [None, 64]}},
            "adafocus.global_sizes must not exceed",
        ),
        ({"adafocus": SECTIONS["adafocus"] | {"patch_sizes": [0]}}, "adafocus.patch_sizes.0"),
        ({"sfc": SECTIONS["sfc"] | {"splits": [5]}}, "sfc.splits must lie inside the backbone"),
        (
            {"sfc": SECTIONS["sfc"] | {"time_ratios": [0]}},
            "sfc.time_ratios.0: Input should be greater than or",
        ),
        ({"sfc": SECTIONS["sfc"] | {"time_ratios": [16]}}, "sfc: time_ratios must not exceed num_frames"),
        ({"sfc": SECTIONS["sfc"] | {"num_exits": [3]}}, "sfc: num_frames=8 is not a multiple of num_exits=3"),
    ],
)
def test_wrong_choices_are_refused(tmp_path, change, says):
    import yaml

    path = tmp_path / "space.yaml"
    path.write_text(yaml.safe_dump(VALUES | SECTIONS | {"families": FAMILIES} | change))
    with pytest.raises(SpaceError) as caught:
        SearchSpace.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert says in str(caught.value)


def test_families_that_a_space_does_not_describe_are_refused():
    space = SearchSpace.model_validate(VALUES)
    assert space.only(["tsn", "tsm"]).families == ["tsn", "tsm"]
    with pytest.raises(SpaceError, match="families: the family sfc needs a section 'sfc'"):
        space.only(["sfc"])


def test_names_of_grid_plans():
    full = small_plan("4x5", order="sequential")
    assert family_name(full) == "grid"
    assert family_name(small_plan("2x5")) == "grid"
