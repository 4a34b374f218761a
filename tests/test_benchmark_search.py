"""The race of ``benchmarks/search_efficiency.py``: what is chosen, what is paid, and the figures that are kept."""

import json
from pathlib import Path

import numpy as np
import pytest

import benchmarks.search_efficiency as race
from benchmarks.search_efficiency import RIVALS, Found, Table, greedy_order, halved, replay
from benchmarks.search_ground_truth import sampled_plans
from benchmarks.search_truths import ORDERS

RESULTS = Path(race.__file__).parent / "results"


def table(values_RPBS2, *, full=(1.0, 3.0), first=(0.1, 0.1), rungs=(3, 12), budgets=(1.0, 2.0)):
    plans = tuple(sampled_plans(len(full), ORDERS))
    return Table(ORDERS.space, plans, rungs, budgets, np.array(values_RPBS2), np.array(full), np.array(first))


@pytest.fixture
def two_plans():
    """Two plans, the second three times as dear; what is best on calibration is not best on test."""
    early = [[[[0.3, 0.2]], [[0.4, 0.4]]], [[[-1, 0]], [[0.5, 0.3]]]]
    late = [[[[0.6, 0.5]], [[0.7, 0.9]]], [[[-1, 0]], [[0.8, 0.6]]]]
    return table([early, late])


def test_what_is_best_on_calibration_is_what_is_found(two_plans):
    draw = two_plans.drawn(np.random.default_rng(0))
    found = replay(draw, [(0, 0), (1, 1), (0, 1)], lambda found: False)
    # A plan of .5 trained for a quarter; one of 1.5 in full; the rest of the first.
    assert found.spent == pytest.approx([0, 0.125, 1.625, 2.0])
    assert found.values == pytest.approx([0, (0.2 + 0.4) / 2, (0.2 + 0.6) / 2, (0.5 + 0.6) / 2])
    assert two_plans.target() == pytest.approx((0.5 + 0.6) / 2)
    assert found.at(1.6) == pytest.approx(0.3)
    assert found.at(1.625) == pytest.approx(0.4)
    assert found.cost_of(0.35) == pytest.approx(1.625)
    assert found.cost_of(2.0) == pytest.approx(2.0)


def test_halving_promotes_the_better_half_and_pays_for_the_epochs_it_runs():
    top1 = np.array([0.1, 0.9, 0.2, 0.8])
    values = np.zeros((2, 4, 2, 1, 2))
    values[..., 0] = values[..., 1] = top1[None, :, None, None]
    draw = table(values, full=np.ones(4), first=np.ones(4) / 10).drawn(np.random.default_rng(0))
    for seed in range(5):
        run = list(halved(draw, seed))
        assert sorted(run) == [(plan, rung) for plan in range(4) for rung in range(2)]
        for k, (plan, rung) in enumerate(run):
            begun = [p for p, r in run[:k] if r == 0]
            done = [p for p, r in run[:k] if r == 1]
            best = sorted(begun, key=lambda p: -top1[p])[: len(begun) // 2]
            promoted = [p for p in best if p not in done]
            if promoted:
                assert (plan, rung) == (promoted[0], 1)
            elif len(begun) < 4:
                assert rung == 0
        assert replay(draw, run, lambda found: False).spent[-1] == pytest.approx(4)


@pytest.mark.parametrize("name", RIVALS)
def test_every_rival_trains_every_plan_once(name):
    rng = np.random.default_rng(0)
    top1 = rng.random((2, 5, len(ORDERS.budgets), 2, 2))
    some = table(top1, full=rng.random(5) + 0.1, first=rng.random(5) / 20, budgets=ORDERS.budgets)
    for method in RIVALS[name][1].values():
        draw = some.drawn(rng)
        run = list(method(draw, 1))
        assert len(set(run)) == len(run)
        assert {plan for plan, rung in run if rung == 1} == set(range(5))
        assert replay(draw, run, lambda found: False).spent[-1] == pytest.approx(5)


def test_each_next_plan_adds_most():
    rng = np.random.default_rng(1)
    values = rng.random((6, 4))
    order = greedy_order(values)
    for k in range(1, 4):
        areas = [values[[*order[:k], p]].max(axis=0).mean() for p in range(6)]
        assert areas[order[k]] == pytest.approx(max(areas))


def test_the_figures_that_are_kept_come_from_the_tables_that_are_kept():
    kept = json.loads((RESULTS / "search_efficiency.json").read_text())
    rows = race.rows_of(RESULTS / "search_networks.jsonl")
    finished = race.rows_of(RESULTS / "search_finished.jsonl")
    some = race.read_table(RESULTS / "search_ground_truth.jsonl")
    assert (kept["num_networks"], kept["num_plans"]) == (len(rows), len(some.plans))
    networks = [
        race.Network(some, row, [one for one in finished if one["seed"] == row["seed"]]) for row in rows
    ]
    assert race.ranking(some, networks).items() <= kept.items()
    assert kept["own_share_mean"] == pytest.approx(np.mean(kept["own_share"]), abs=1e-4)
    methods = kept["one_shot"] | kept["rivals"]
    assert kept["share_at_cost"].keys() == methods.keys()
    assert all(own["seeds"] >= 20 for own in kept["rivals"].values())
    for name, own in methods.items():
        assert own["to_95"] <= own["to_99"]
        shares = [kept["share_at_cost"][name][str(cost)] for cost in race.COSTS]
        assert all(share["low"] <= share["mean"] + 0.05 and share["low"] <= share["high"] for share in shares)


def test_the_guide_prints_what_is_kept():
    kept = json.loads((RESULTS / "search_efficiency.json").read_text())
    guide = (Path(race.__file__).parents[1] / "docs" / "one-shot.md").read_text().splitlines()
    assert set(race.markdown(kept)) <= set(guide)


def test_nothing_is_found_for_nothing():
    assert Found(3).at(5.0) == 0
