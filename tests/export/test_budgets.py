"""A bundle of all budgets: what its networks share is there once, and a budget is switched without reading weights."""

from dataclasses import replace

import pytest
import torch

import dynsearch
from dynsearch.errors import BundleError, InfeasibleBudgetError, InputError, WeightsError
from dynsearch.export.budgets import Budgets, write_budgets
from dynsearch.export.ownership import BUDGETS, check_export
from dynsearch.families import build_network
from dynsearch.frontier import merge
from dynsearch.network.weights.files import load_weights, save_weights
from dynsearch.plan import ExitPlacement
from dynsearch.training.made import facts_in
from tests.export.bundles import CLASSES, toy_bundle
from tests.network.nets import lively_network, random_clips
from tests.plans import small_plan
from tests.search.toy import ToyEvaluator

PLAN = small_plan(image_size=48)
PLANS = {3: PLAN, 5: replace(PLAN, exits=ExitPlacement(PLAN.exits.exits[1:]))}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The bundle of the first plan, with both plans' points; the second has the first's backbone."""
    folder = tmp_path_factory.mktemp("budgets")
    bundle = toy_bundle(folder / "net", PLAN)
    networks = {3: lively_network(PLAN, len(CLASSES)), 5: lively_network(PLANS[5], len(CLASSES))}
    own = networks[3].state_dict()
    shared = {name: own[name] for name in networks[5].state_dict() if not name.startswith("heads")}
    networks[5].load_state_dict(networks[5].state_dict() | shared)
    for key, network in networks.items():
        save_weights(network, folder / f"{key}.safetensors")
    scores = {
        key: tuple(ToyEvaluator.draw(plan, split) for split in ("calibration", "test"))
        for key, plan in PLANS.items()
    }
    points = merge(scores)
    assert {point.key for point in points} == {3, 5}
    files = {key: (plan, folder / f"{key}.safetensors") for key, plan in PLANS.items()}
    write_budgets(bundle.folder / BUDGETS, files, points, facts_in(bundle.weights) or {})
    return bundle, files, points


def test_what_networks_share_is_there_once(made):
    bundle, files, points = made
    sizes = [path.stat().st_size for _, path in files.values()]
    assert (bundle.folder / BUDGETS).stat().st_size < max(sizes) + 0.1 * min(sizes) + 1000 * len(points)
    found = Budgets.load(bundle.folder / BUDGETS)
    assert [point.cost for point in found.points] == [point.calibration.cost for point in points]
    assert [point.policy for point in found.points] == [point.calibration.policy for point in points]


def test_every_budget_answers_as_the_network_of_its_point_alone(made):
    bundle, files, points = made
    net = dynsearch.load(bundle, device="cpu")
    pointers = {}
    for point in points:
        other = net.at(point.calibration.cost)
        plan, weights = files[point.key]
        assert (other.bundle.plan, other.bundle.policy) == (plan, point.calibration.policy)
        assert net.at(budget=point.calibration.cost) is other
        alone = build_network(plan, len(CLASSES)).eval()
        load_weights(alone, weights)
        clips = random_clips(plan, batch=3, seed=1)
        with torch.inference_mode():
            torch.testing.assert_close(other.network(clips), alone(clips), atol=1e-5, rtol=1e-5)
        for name, value in other.network.named_parameters():
            if not name.startswith("heads"):
                assert pointers.setdefault(name, value.data_ptr()) == value.data_ptr()
    assert net.at() is net
    with pytest.raises(InputError, match="max_gflops=1 and budget=2 are one"):
        net.at(1, budget=2)
    with pytest.raises(InfeasibleBudgetError):
        net.at(1e-6)


def test_what_does_not_belong_to_the_bundle_is_refused(made, tmp_path):
    bundle, files, points = made
    other = toy_bundle(tmp_path / "other", PLAN)
    with pytest.raises(BundleError, match="has the thresholds of one budget") as caught:
        dynsearch.load(other).at(0.02)
    assert "--all-budgets" in caught.value.hint
    write_budgets(other.folder / BUDGETS, files, points, {"dataset": "another"})
    with pytest.raises(BundleError, match="its weights were not made as recipe.yaml says: in them dataset"):
        dynsearch.load(other).at(0.02)
    (other.folder / BUDGETS).write_bytes((other.folder / "weights.safetensors").read_bytes())
    with pytest.raises(WeightsError, match="holds no points"):
        dynsearch.load(other).at(0.02)
    content = bytearray((bundle.folder / BUDGETS).read_bytes())
    content[-100] ^= 1
    (other.folder / BUDGETS).write_bytes(content)
    with pytest.raises(WeightsError, match="damaged"):
        dynsearch.load(other).at(0.02)


def test_an_export_replaces_its_own_file_of_budgets(made, tmp_path):
    bundle, _, _ = made
    copy = tmp_path / "net"
    copy.mkdir()
    for name in ("plan.yaml", "labels.txt", "recipe.yaml", "weights.safetensors", "README.md", BUDGETS):
        (copy / name).write_bytes((bundle.folder / name).read_bytes())
    check_export(copy, [], force=False)
