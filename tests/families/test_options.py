import pytest
import yaml

from dynsearch.errors import PlanError
from dynsearch.plan import Plan
from tests.plans import compressed_plan, focus_plan, small_plan

TESTS = (
    "dynsearch.families.adafocus.options",
    "dynsearch.families.sfc.options",
)

PLANS = {
    "recurrent": focus_plan(global_size=32),
    "video": focus_plan("video", global_frames=3),
    "compressed": compressed_plan("4x5", "8x5", side_ratio=2),
}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_options_survive_the_file(tmp_path, plan):
    plan.save(tmp_path / "plan.yaml")
    again = Plan.load(tmp_path / "plan.yaml")
    assert (again, again.plan_id) == (plan, plan.plan_id)
    assert str(plan.options) in str(plan)


def test_ids_differ_by_every_option_and_stay():
    variants = [
        *PLANS.values(), focus_plan(), focus_plan(patch_size=32), focus_plan(local_backbone="test_resnet2"),
        focus_plan(policy_width=8), focus_plan(classifier_width=8), focus_plan("video"), compressed_plan(),
        compressed_plan(split=2), compressed_plan(time_ratio=4), compressed_plan(side_ratio=2),
    ]  # fmt: skip
    assert len({plan.plan_id for plan in variants}) == len(variants)
    # Written into files that live long: these must never change.
    assert [plan.plan_id for plan in PLANS.values()] == ["3258d87b3270", "4f65c1f83b6f", "37264b197c1e"]


def test_plans_that_mean_the_same_are_equal():
    assert focus_plan(global_size=48) == focus_plan()
    assert focus_plan(global_frames=3) == focus_plan()
    assert focus_plan("video", global_frames=4) == focus_plan("video")
    assert focus_plan("video", classifier_width=7) == focus_plan("video")


def test_a_grid_plan_is_written_without_options():
    assert "options" not in small_plan().to_dict()


def test_the_base_of_a_compressed_network_sees_as_many_frames_as_its_tail():
    plan = compressed_plan(num_frames=7, time_ratio=3, split=2)
    assert str(plan.options.base(plan).exits) == "3x5"
    assert plan.options.base(plan) == small_plan(
        "3x5", num_frames=3, num_sets=3, order="sequential", image_size=48
    )


@pytest.mark.parametrize(
    ("plan", "change", "says"),
    [
        ("recurrent", {"patch_size": 49}, "options.patch_size: must not be larger than the frames, which have 48"),
        ("recurrent", {"global_size": 64}, "options.global_size: must not be larger than the frames"),
        ("recurrent", {"patch_size": 0}, "options: patch_size: must be a positive number, got 0"),
        ("recurrent", {"patch_size": "big"}, "options: patch_size: Input should be a valid integer (got 'big')"),
        ("recurrent", {"patch_per": "day"}, "options: patch_per: must be frame or video, got 'day'"),
        ("recurrent", {"colour": 1}, "options: colour: unknown field"),
        ("video", {"global_frames": 5}, "options.global_frames: must not be more than the 4 frames"),
        ("compressed", {"split": 5}, "options.split: the split must lie inside the backbone, from 1 to 4 of the 5"),
        ("compressed", {"split": 0}, "options: split: must be at least 1, got 0"),
        ("compressed", {"time_ratio": 0}, "options: time_ratio: must be at least 1, got 0"),
        ("compressed", {"side_ratio": -1}, "options: side_ratio: must be at least 1, got -1"),
        ("compressed", {"time_ratio": 9}, "options.time_ratio: must not be more than the 8 frames, got 9"),
        ("compressed", {"time_ratio": 2.5}, "options: time_ratio: Input should be a valid integer"),
    ],
)  # fmt: skip
def test_wrong_options_are_refused_in_one_line(tmp_path, plan, change, says):
    values = PLANS[plan].to_dict()
    check(tmp_path, values | {"options": values["options"] | change}, says)


@pytest.mark.parametrize(
    ("plan", "change", "says"),
    [
        ("recurrent", {"options": None}, "options: the family adafocus needs its options"),
        ("recurrent", {"family": "sfc"}, "options: split: is missing"),
        ("recurrent", {"family": "grid"}, "options: the family grid has no options"),
        ("recurrent", {"exits": ["1x1", "4x2"]}, "exits: with one patch per frame all exits have depth 1"),
        ("recurrent", {"head": "conv"}, "family: head, stages and share_heads are of the grid family"),
        (
            "recurrent",
            {"exits": ["4x1"], "temporal_shift": {"kind": "bidirectional"}},
            "temporal_shift: a bidirectional shift needs one patch per video",
        ),
        ("video", {"exits": ["4x1"]}, "exits: with one patch per video the exits are 4x2"),
        ("video", {"frame_order": "paper"}, "frame_order: one patch per video needs frames in order of time"),
        ("compressed", {"exits": ["4x4", "8x5"]}, "exits: compressed networks have all exits at one depth"),
        ("compressed", {"share_heads": True}, "share_heads: the exits of a compressed network always share"),
    ],
)
def test_plans_that_do_not_fit_their_family_are_refused(tmp_path, plan, change, says):
    check(tmp_path, PLANS[plan].to_dict() | change, says)


def check(tmp_path, values, says):
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(PlanError) as caught:
        Plan.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert says in message
    assert "\n" not in message
