"""Plans and exit policies, changed at every field and byte: what is accepted is what the file says, and possible."""

import itertools
import math
from itertools import pairwise

import numpy as np
import pytest
import yaml

from dynsearch.errors import InputError
from dynsearch.plan import FrameOrder, Plan
from dynsearch.scores import ExitScores
from dynsearch.scores.gain import fit_gain
from dynsearch.thresholds import ExitPolicy
from tests.mutations import NUMBER, as_yaml, changed_bytes, changed_documents, means, refused_or_right
from tests.plans import compressed_plan, focus_plan, small_plan

PLANS = {
    "grid": small_plan(stages=6),
    "free order": small_plan().to_dict()
    | {"frame_order": {"sets": [2, 0, 1, 3], "groups": [1, 3]}, "share_heads": True},
    "adafocus": focus_plan("video", global_frames=3),
    "sfc": compressed_plan("4x5", "8x5", side_ratio=2),
}


def mutations(document, seed, number):
    text = yaml.safe_dump(document, sort_keys=False).encode()
    return itertools.chain(
        as_yaml(changed_documents(document, seed, number - number // 3)),
        changed_bytes(text, seed + 1, number // 3),
    )


def said(content):
    return yaml.safe_load(content.decode("utf-8-sig"))


def check_plan(plan, content):
    """The rules of DESIGN and the paper, written anew, and every field of the file that is not made canonical."""
    values, kept = said(content), plan.to_dict()
    again = Plan.from_dict(said(yaml.safe_dump(kept).encode()))
    assert (again, again.plan_id) == (plan, plan.plan_id)
    plain = ("backbone", "num_frames", "num_sets", "image_size", "head", "family", "stages", "share_heads")
    for name in plain:
        if values.get(name) is not None:
            assert means(values[name], getattr(plan, name)), name
    exits = [tuple(map(int, str(exit_).strip().split("x"))) for exit_ in values["exits"]]
    assert exits == [(exit_.sets, exit_.depth) for exit_ in plan.exits.exits]
    assert all(a[0] <= b[0] and a[1] <= b[1] and a != b for a, b in pairwise(exits))
    assert exits[-1][0] <= plan.num_sets
    assert plan.num_frames % plan.num_sets == 0
    order = values.get("frame_order", "sequential")
    if isinstance(order, str):
        assert plan.frame_order == FrameOrder.named(order, plan.num_sets)
    else:
        assert list(plan.frame_order.sets) == order["sets"]
        assert list(plan.frame_order.group_sizes) == order.get("groups", [len(order["sets"])])
    assert sorted(plan.frame_order.sets) == list(range(plan.num_sets))
    shift = values.get("temporal_shift", {})
    assert shift.get("kind", "online") == plan.temporal_shift.kind
    assert plan.temporal_shift.kind == "none" or means(shift.get("div", 8), plan.temporal_shift.div)


@pytest.mark.reliability(
    "Files",
    "a plan changed at any field or byte",
    happens="is refused with file and field, or is the plan it says",
    sees="`exits must rise in sets and depth, got ...`, `must be at most ..., got ...`",
)
@pytest.mark.parametrize("name", PLANS)
def test_plans(tmp_path, name):
    document = PLANS[name] if isinstance(PLANS[name], dict) else PLANS[name].to_dict()
    accepted = refused_or_right(
        mutations(document, 7, NUMBER // 2), tmp_path / "plan.yaml", Plan.load, check_plan
    )
    assert 0 < accepted < 0.6


@pytest.mark.parametrize("change", [{"num_frames": 10**5, "num_sets": 10**5}, {"exits": ["1x" + "9" * 5000]}])
def test_sizes_that_no_plan_has(change):
    with pytest.raises(InputError, match="at most 1024|can't read the exit"):
        Plan.from_dict(small_plan().to_dict() | change)


def policies():
    rng = np.random.default_rng(0)
    scores = ExitScores(
        cost_E=[1.0, 2.0, 3.0], confidence_EN=rng.random((3, 50)), correct_EN=rng.random((3, 50)) < 0.5
    )
    gain, _ = fit_gain(scores)
    learned = ExitPolicy((0.1, math.inf, -math.inf), "learned-gain", "abc", gain).to_dict()
    return {"plain": ExitPolicy((0.9, 0.5, -math.inf), plan_id="0123").to_dict(), "learned": learned}


def check_policy(policy, content):
    values = said(content)
    assert len(values["thresholds"]) == policy.num_exits
    for given, kept in zip(values["thresholds"], policy.thresholds, strict=True):
        assert type(given) in (int, float)
        assert given == kept
    assert policy.thresholds[-1] == -math.inf
    assert values.get("plan_id", "") == policy.plan_id
    assert values.get("confidence", "max-softmax") == policy.confidence
    if policy.gain is not None:
        assert means(values["gain"], policy.gain.to_dict())
        assert len(policy.gain.weights) == policy.num_exits - 1
    assert ExitPolicy.from_dict(policy.to_dict()) == policy


@pytest.mark.reliability(
    "Files",
    "thresholds (`policy.yaml`) changed at any field or byte",
    happens="are refused with the file named, or are those it says",
    sees="`thresholds must be numbers, got ...`, `the last threshold must be -inf, got ...`",
)
@pytest.mark.parametrize("name", ["plain", "learned"])
def test_policies(tmp_path, name):
    accepted = refused_or_right(
        mutations(policies()[name], 9, NUMBER), tmp_path / "policy.yaml", ExitPolicy.load, check_policy
    )
    assert 0 < accepted < 0.6
