import dataclasses
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynsearch.errors import PlanError
from dynsearch.plan import Exit, ExitPlacement, FrameOrder, Plan, TemporalShift
from tests.plans import plans, small_plan


@given(plans(), st.sampled_from([None, 5, 9]), st.booleans())
def test_a_plan_survives_its_dictionary(plan, stages, share_heads):
    plan = dataclasses.replace(plan, stages=stages, share_heads=share_heads)
    again = Plan.from_dict(plan.to_dict())
    assert again == plan
    assert (hash(again), again.plan_id) == (hash(plan), plan.plan_id)


def test_a_plan_survives_its_file(tmp_path):
    plan = small_plan("1x3", "4x5")
    plan.save(tmp_path / "plan.yaml")
    assert Plan.load(tmp_path / "plan.yaml") == plan


def test_an_order_without_a_name_is_written_out(tmp_path):
    plan = dataclasses.replace(small_plan(), frame_order=FrameOrder((2, 0, 1, 3), (1, 3)))
    plan.save(tmp_path / "plan.yaml")
    assert "sets" in (tmp_path / "plan.yaml").read_text()
    assert Plan.load(tmp_path / "plan.yaml") == plan


def test_an_order_that_got_its_name_later_keeps_its_plans_ids():
    plan = small_plan("8x5", order="adafocus", num_frames=8, num_sets=8)
    by_sets = dataclasses.replace(plan, frame_order=FrameOrder((3, 0, 7, 1, 5, 2, 4, 6), (1, 2, 2, 3)))
    assert plan.to_dict()["frame_order"] == {"sets": [3, 0, 7, 1, 5, 2, 4, 6], "groups": [1, 2, 2, 3]}
    assert (by_sets, by_sets.plan_id) == (plan, "e7ad2e11d84e")


def test_plans_that_mean_the_same_are_equal():
    one_group = small_plan(order="sequential", temporal_shift=TemporalShift("online", across_groups=False))
    assert one_group == small_plan(order="sequential")
    unshifted = small_plan(temporal_shift=TemporalShift("none", 4, across_groups=False))
    assert unshifted == small_plan(temporal_shift=TemporalShift("none"))


def test_different_plans_have_different_ids():
    variants = [
        small_plan(),
        small_plan(order="sequential"),
        small_plan("1x3", "4x5"),
        small_plan(num_frames=8),
        small_plan(image_size=48),
        small_plan(temporal_shift=TemporalShift("none")),
        small_plan(temporal_shift=TemporalShift(across_groups=False)),
        small_plan(stages=5),
        small_plan(head="conv"),
        small_plan(head="conv", share_heads=True),
    ]
    assert len({plan.plan_id for plan in variants}) == len(variants)


def test_the_id_is_stable():
    # A plan_id is written into files that live long: it must never change for the same plan.
    assert small_plan().plan_id == "df571fbd8e66"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"num_frames": 6}, "num_frames: must be a multiple of the 4 frame sets, got 6"),
        ({"num_frames": "8"}, "num_frames: must be a whole number, got '8'"),
        ({"exits": ["1x3", "5x5"]}, "exits: the exit 5x5 needs 5 frame sets, the plan has 4"),
        ({"exits": ["2x3", "1x5"]}, "exits: exits must rise"),
        ({"exits": "2x3"}, "exits: must be a list"),
        ({"frame_order": "papper"}, "frame_order: there is no frame order 'papper'"),
        ({"frame_order": {"sets": [0, 1, 1, 3]}}, "frame_order: a frame order must hold each"),
        ({"frame_order": {"sets": [0, 1]}}, "frame_order.sets: has 2 sets, but num_sets is 4"),
        ({"frame_order": {"sets": [0, 1, "x", 3]}}, "frame_order.sets: must be a list of whole numbers"),
        (
            {"temporal_shift": {"kind": "sideways"}},
            "temporal_shift.kind: there is no temporal shift 'sideways'",
        ),
        ({"temporal_shift": {"div": 0}}, "temporal_shift.div: must be at least 1, got 0"),
        ({"temporal_shift": {"div": True}}, "temporal_shift.div: must be a whole number"),
        ({"temporal_shift": {"kind": "bidirectional"}}, "exits: a bidirectional shift needs every exit"),
        ({"image_size": 0}, "image_size: must be a positive number"),
        ({"stages": 4}, "exits: the exit 4x5 lies outside the grid: the plan has 4 stages"),
        ({"stages": "many"}, "stages: must be a whole number, got 'many'"),
        ({"share_heads": 1}, "share_heads: must be true or false, got 1"),
        ({"colour": "red"}, "plan: unknown field 'colour'"),
        ({"backbone": None}, "backbone: must be a text"),
    ],
)
def test_a_wrong_field_is_named_with_its_file(tmp_path, change, says):
    import yaml

    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(small_plan().to_dict() | change))
    with pytest.raises(PlanError) as caught:
        Plan.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert says in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "", "!!python/object/apply:os.system ['true']"])
def test_files_that_hold_no_plan(tmp_path, text):
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(PlanError, match="plan.yaml"):
        Plan.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PlanError, match=r"nowhere.yaml: can't be read: No such file"):
        Plan.load(tmp_path / "nowhere.yaml")


def test_a_plan_takes_the_strings_that_yaml_takes():
    plan = Plan(
        "resnet50", num_frames=16, num_sets=8, frame_order="paper", exits="2x3 8x5", temporal_shift="online"
    )
    assert plan == Plan(
        "resnet50",
        16,
        FrameOrder.named("paper", 8),
        ExitPlacement.of("2x3", "8x5"),
        224,
        TemporalShift("online"),
    )
    assert plan == Plan.from_dict(
        {
            "backbone": "resnet50",
            "num_frames": 16,
            "num_sets": 8,
            "frame_order": "paper",
            "exits": ["2x3", "8x5"],
        }
    )
    written = Plan(
        "resnet50",
        4,
        {"sets": [2, 0, 1, 3], "groups": [1, 3]},
        ["1x3", Exit(4, 5)],
        temporal_shift={"div": 4},
    )
    assert written.frame_order == FrameOrder((2, 0, 1, 3), (1, 3))
    assert (str(written.exits), written.temporal_shift.div) == ("1x3 4x5", 4)
    assert dataclasses.replace(plan, exits="4x5") == dataclasses.replace(plan, exits=ExitPlacement.of("4x5"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"frame_order": "papper"}, "frame_order: there is no frame order 'papper'"),
        ({"exits": "2x3 1x5"}, "exits: exits must rise"),
        ({"exits": "2by3"}, "exits: can't read the exit '2by3'"),
        ({"exits": 3}, "exits: must be a list, or a text such as 2x3 8x5, got 3"),
        ({"temporal_shift": "sideways"}, "temporal_shift.kind: there is no temporal shift 'sideways'"),
        ({"temporal_shift": {"div": 0}}, "temporal_shift.div: must be at least 1, got 0"),
        ({"num_frames": "8"}, "num_frames: must be a whole number, got '8'"),
        ({"num_sets": 3}, "num_frames: must be a multiple of the 3 frame sets, got 4"),
        (
            {"frame_order": FrameOrder.named("paper", 4), "num_sets": 2},
            "frame_order: has 4 sets, but num_sets is 2",
        ),
        ({"stages": "many"}, "stages: must be a whole number, got 'many'"),
        ({"options": {"patch_size": 24}}, "options: the family grid has no options"),
    ],
)
def test_wrong_fields_are_refused_in_python_as_in_files(change, says):
    fields = {"backbone": "test_resnet", "num_frames": 4, "frame_order": "sequential", "exits": "2x3 2x5"}
    with pytest.raises(PlanError) as caught:
        Plan(**fields | change)
    assert str(caught.value).startswith(says)


def test_a_plan_shows_itself_in_one_line():
    assert repr(small_plan()) == f"Plan({small_plan().plan_id}: {small_plan()})"
    assert "\n" not in repr(small_plan())


def test_the_text_says_which_features_are_not_timms():
    plan = small_plan("1x2", backbone="convnext_atto")
    assert "features" not in str(plan)
    assert ", features mean" in str(replace(plan, features="mean"))
    assert "features" not in str(small_plan("1x2", features="mean")), "the same there"
