"""Costs in one measure and in another: how they are spelled, kept in files, and never mixed."""

import pickle

import numpy as np
import pytest

from dynsearch.errors import InfeasibleBudgetError, InputError, ScoresError
from dynsearch.families import build_network, cost_table
from dynsearch.frontier import Frontier, solve_thresholds
from dynsearch.frontier.merge import Merging
from dynsearch.measures import COST_MEASURES, COUNTED, CostMeasure, measure_called, one_measure
from dynsearch.plan import Plan
from dynsearch.scores import ExitScores
from dynsearch.thresholds import evaluate_policy

MS = COST_MEASURES["ms"]
PLAN = Plan("test_resnet", num_frames=4, num_sets=4, image_size=48, frame_order="sequential", exits="2x3 4x5")


def scores(measure=COUNTED, **changes):
    rng = np.random.default_rng(0)
    values = {
        "cost_E": [1.0, 2.5, 4.0],
        "confidence_EN": rng.random((3, 40)),
        "correct_EN": rng.random((3, 40)) < 0.6,
        "measure": measure,
    }
    return ExitScores(**(values | changes))


def test_a_measure_says_how_its_costs_are_spelled():
    joules = CostMeasure("joules", "J", meaning="10^9 nanojoules")
    assert (joules.budget_name, joules.per_video, joules.text(1.23456)) == (
        "max_joules",
        "J per video",
        "1.235 J",
    )
    assert joules.axis == "J per video (10\N{SUPERSCRIPT NINE} nanojoules)"
    values = {
        "cost": 1,
        "cost_low": 2,
        "full_cost": 3,
        "budget": 4,
        "cost_p_value": 5,
        "measure": joules,
        "top1": 6,
    }
    assert joules.spelled(values) == {
        "joules": 1, "joules_low": 2, "full_joules": 3, "max_joules": 4, "cost_p_value": 5, "top1": 6,
    }  # fmt: skip
    assert (MS.unit, MS.axis) == ("ms", "ms per video (milliseconds)")
    assert COUNTED.axis == "GFLOPs per video (10⁹ multiply-accumulates)"


@pytest.mark.parametrize("name", ["", "1st", "a b", "a-b", "é", "x" * 33, 3, None])
def test_names_of_measures_can_stand_in_columns(name):
    with pytest.raises(InputError, match="is no name of a cost measure"):
        CostMeasure(name)


def test_the_shipped_measure_counts_and_a_users_own_is_asked():
    assert COUNTED.cost_E(PLAN, 7) == cost_table(PLAN, 7).cost_E
    mine = CostMeasure("mine", costs=lambda plan, num_classes: [num_classes, 10.0 * len(plan.exits)])
    assert mine.cost_E(PLAN, 7) == (7.0, 20.0)
    network = build_network(PLAN, 7, measure=mine)
    assert (network.cost_E, network.measure) == ((7.0, 20.0), mine)
    with pytest.raises(InputError, match="costs here are in mine, not in gflops"):
        _ = network.gmacs_E
    assert build_network(PLAN, 7).gmacs_E == cost_table(PLAN, 7).cost_E
    with pytest.raises(InputError, match="what a plan costs in J is not known"):
        CostMeasure("joules", "J").cost_E(PLAN, 7)


@pytest.mark.parametrize("given", [[1.0], [1.0, 2.0, 3.0], [2.0, 1.0], [0.0, 1.0], [1.0, float("nan")], []])
def test_what_are_no_costs_is_refused(given):
    with pytest.raises(InputError, match=r"cost measure odd: gave the costs .* for a plan of 2 exits"):
        CostMeasure("odd", costs=lambda plan, num_classes: given).cost_E(PLAN, 7)


def test_a_measure_travels_to_other_processes_by_its_name():
    assert pickle.loads(pickle.dumps(COUNTED)) is COUNTED
    bare = pickle.loads(pickle.dumps(CostMeasure("joules", "J")))
    assert (bare.name, bare.unit, bare.costs) == ("joules", "J", None)
    assert measure_called("ms") is MS


def test_scores_keep_their_measure_in_files(tmp_path):
    scores(MS).save(tmp_path / "ms.npz")
    with np.load(tmp_path / "ms.npz") as file:
        assert {"cost", "measure"} <= set(file.files)
        assert (file["measure"], list(file["cost"])) == ("ms", [1.0, 2.5, 4.0])
        assert "gmacs" not in file.files
    assert ExitScores.load(tmp_path / "ms.npz").measure == MS
    scores().save(tmp_path / "counted.npz")
    with np.load(tmp_path / "counted.npz") as file:
        assert "gmacs" in file.files
        assert not {"cost", "measure"} & set(file.files)
    loaded = ExitScores.load(tmp_path / "counted.npz")
    assert (loaded.measure, list(loaded.gmacs_E)) == (COUNTED, [1.0, 2.5, 4.0])
    part = scores(MS).select(np.arange(5))
    assert part.measure == part.reduced().measure == MS


def test_files_with_a_wrong_measure_are_refused(tmp_path):
    arrays = {"confidence": np.ones((2, 3)), "correct": np.ones((2, 3), bool)}
    np.savez(tmp_path / "a.npz", cost=[1.0, 2.0], measure="two words", **arrays)
    with pytest.raises(ScoresError, match=r"a\.npz, measure: 'two words' is no name of a cost measure"):
        ExitScores.load(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", gmacs=[1.0, 2.0], measure="ms", **arrays)
    with pytest.raises(ScoresError, match=r"b\.npz: has no array cost"):
        ExitScores.load(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", cost=[2.0, 1.0], measure="furlongs", **arrays)
    with pytest.raises(ScoresError, match=r"c\.npz, cost: cost falls .* cumulative furlongs per video"):
        ExitScores.load(tmp_path / "c.npz")


def test_points_and_frontiers_carry_the_measure():
    curve = solve_thresholds(scores(MS))
    assert curve.measure == MS
    assert {point.measure for point in curve} == {MS}
    assert set(curve[0].to_dict()) == {"thresholds", "top1", "ms", "exit_share", "expected_top1"}
    with pytest.raises(InputError, match="costs here are in ms, not in gflops"):
        _ = curve[0].gflops
    with pytest.raises(InputError, match="costs here are in ms, not in gflops"):
        curve.best_under(max_gflops=3)
    with pytest.raises(InfeasibleBudgetError, match="max_ms=0.5 is below the cheapest point, 1 ms per video"):
        curve.best_under(0.5)
    counted = solve_thresholds(scores())
    assert counted.best_under(max_gflops=3).gflops == counted.best_under(3).cost


def test_measures_are_not_mixed():
    counted, timed = solve_thresholds(scores()), solve_thresholds(scores(MS))
    refused = pytest.raises(InputError, match="costs in .* can't be compared")
    with refused:
        Frontier([*counted, *timed])
    with refused:
        counted.evaluate(scores(MS))
    with refused:
        timed[0].evaluate(scores())
    merging = Merging()
    merging.add(0, counted)
    with refused:
        merging.add(1, timed)
    with refused:
        merging.points(lambda key: scores(MS))
    assert one_measure([*timed, timed]) == MS


def test_a_policy_alone_has_no_measure():
    policy = solve_thresholds(scores())[1].policy
    counted, timed = evaluate_policy(policy, scores()), evaluate_policy(policy, scores(MS))
    assert (counted.cost, counted.exit_share) == (timed.cost, timed.exit_share)
    assert (counted.measure, timed.measure) == (COUNTED, MS)
