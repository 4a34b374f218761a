"""``dynsearch cost`` on the paper's plans and on any backbone."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from dynsearch import resources
from dynsearch.cli.cost import cost
from dynsearch.families import cost_table
from dynsearch.plan import Plan
from tests.cli.runner import dynsearch

ROOT = Path(__file__).parents[2]
TABLE_2 = "1993 2392 2871 3445 4134 4961"


def in_process(*arguments):
    import json

    result = CliRunner().invoke(cost, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_the_papers_averages_come_out(tmp_path):
    out = dynsearch(
        "cost", "joint-msdnet38", "--num-classes", 1000, "--exit-share", TABLE_2, cwd=tmp_path
    ).out
    assert "62.314 million parameters" in out
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line}
    assert rows["8x5"] == ["8x5", "16", "45.74", "100.0%", "51.94", "25.1%"]
    assert rows["average"][-1] == "26.49"


def test_the_same_for_programs():
    values = in_process("joint-msdnet38", "--num-classes", "1000", "--exit-share", TABLE_2)
    assert values["parameters"] == 62_314_472
    assert round(values["gmacs_full_heads_on_frames"], 2) == 51.94
    assert round(values["average"]["gmacs_heads_on_frames"], 2) == 26.49
    assert values["gmacs_full"] == values["exits"][-1]["gmacs"] < 46
    assert values["exits"][0] | {"sets": 2, "depth": 1} == values["exits"][0]


@pytest.mark.parametrize(
    ("name", "parameters", "full"),
    [
        ("tsn-resnet50-8", 24_327_632, 32.70),
        ("tsn-resnet50-16", 24_327_632, 65.41),
        ("tsm-resnet50-8", 24_327_632, 32.70),
        ("tsm-resnet50-16", 24_327_632, 65.41),
        ("joint-resnet50", 29_055_104, None),  # the natural heads: 29.055 and 48.047 million
        ("joint-resnet101", 48_047_232, None),
    ],
)
def test_the_other_plans(name, parameters, full):
    values = in_process(name)
    assert values["parameters"] == parameters
    if full:
        assert values["gmacs_full_heads_on_frames"] == pytest.approx(full, abs=0.01)


def test_all_shipped_plans_load_and_none_is_taken_for_a_recipe():
    names = resources.names("studies/paper")
    assert len(names) == 20
    plans = {name: Plan.load(ROOT / "studies" / "paper" / f"{name}.yaml") for name in names}
    assert len({plan.plan_id for plan in plans.values()}) == len(names)
    assert all(cost_table(plan, 400).cost_E[-1] > 18 for plan in plans.values())
    assert not set(names) & set(resources.names("studies"))
    assert all("/" not in name for name in resources.names("studies"))


def test_finer_stages_on_a_backbone():
    values = in_process("--backbone", "resnet18", "--num-frames", "2", "--stages", "9", "--exits", "1x4 2x9")
    assert len(values["frame_gmacs"]) == 9
    assert [(exit_["sets"], exit_["depth"]) for exit_ in values["exits"]] == [(1, 4), (2, 9)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("joint-msdnet",),
            "there is no plan 'joint-msdnet'. If it is a backbone: --backbone joint-msdnet. Did you mean ",
        ),
        (
            ("joint-resnet50", "--exit-share", "1 2"),
            "exit_share: needs one non-negative number for each of the 4",
        ),
        (("joint-resnet50", "--exit-share", "a b"), "must be numbers separated by spaces, got 'a b'"),
        (("--backbone", "resnet18", "--stages", "40"), "can be cut into at most 9 stages, one per block"),
        (("--backbone", "test_resnet", "--exits", "8x6"), "an exit at depth 6 lies outside the grid"),
        (("--backbone", "test_resnet", "--head", "conv9"), "there is no exit head 'conv9'"),
    ],
)
def test_what_cannot_be_costed_says_why(arguments, says, tmp_path):
    assert says in dynsearch("cost", *arguments, cwd=tmp_path, code=2).err


def test_the_parts_of_another_family(tmp_path):
    shown = dynsearch("cost", "adafocus-sthv2-128", "--num-classes", 174, cwd=tmp_path).out
    assert "local network resnet50 at 128 px, a frame" in shown
    assert "12x2      12   18.45   100.0%" in shown
    values = in_process(
        "adafocus-activitynet-128", "--num-classes", "200", "--exit-share", " ".join("1" * 16)
    )
    assert values["gmacs_full"] == values["exits"][15]["gmacs"] == pytest.approx(26.95, abs=0.005)
    mean = sum(exit_["gmacs"] for exit_ in values["exits"]) / 16
    assert values["average"]["gmacs"] == pytest.approx(mean)
    assert values["gmacs_full"] == pytest.approx(
        sum(part["gmacs"] * part["runs"] for part in values["parts"])
    )
