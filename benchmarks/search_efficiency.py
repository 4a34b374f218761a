"""What a search costs: one-shot networks and their rivals, replayed against plans that were trained alone.

    OMP_NUM_THREADS=1 python benchmarks/search_efficiency.py [--truth sizes]

Needs the tables of benchmarks/search_ground_truth.py and benchmarks/search_networks.py, and trains nothing. First how
well each network's promises order the plans (Kendall's tau). Then each method is replayed against the table (see
search_replay.py): what share of the hypervolume of all its plans a search has after so much training, and how much it
takes to 95% and 99%. Figures of one-shot search are means over networks, those of rivals over seeds; ``low`` and
``high`` are the 10th and the 90th percentile over them. Of a rival that was tried in several variants, the one that is
soonest at 99% here is reported, which flatters it; all are kept under ``variants``. With ``--bundle`` it also times how
fast a bundle of all budgets (``dynsearch export STUDY --all-budgets``) is at another budget.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))

from search_gp import modelled
from search_ground_truth import recipe  # the benchmarks beside this one
from search_networks import SETTINGS, rows_of, to_finish
from search_replay import Draw, Found, Table, Training, greedy_order, halved, in_order, replay, sampled
from search_truths import ORDERS, TRUTHS, Truth

import dynsearch
from dynsearch.export.budgets import Budgets
from dynsearch.export.ownership import BUDGETS as BUNDLE_BUDGETS
from dynsearch.families import cost_table
from dynsearch.plan import Plan
from dynsearch.search.one_shot.shape import Shape
from dynsearch.study.predictions import mean_tau

COSTS = (1, 2, 3, 4, 6, 8)
SHARES = (0.95, 0.99)
NUM_CLASSES = 12
DRAWS = 20
"""How often each network is replayed: only which trainings of the table follow differs."""


def read_table(path: Path, truth: Truth = ORDERS) -> Table:
    """Return the table."""
    by_plan: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(path):
        by_plan.setdefault(row["plan_id"], []).append(row)
    firsts = [own[0] for own in by_plan.values()]
    rungs = tuple(sorted(map(int, firsts[0]["points"])))
    num_seeds = min(map(len, by_plan.values()))
    values = np.zeros((len(rungs), len(by_plan), len(truth.budgets), num_seeds, 2))
    values[..., 0] = -1
    for p, own in enumerate(by_plan.values()):
        for s, row in enumerate(own[:num_seeds]):
            for r, rung in enumerate(rungs):
                for b, budget in enumerate(truth.budgets):
                    if point := row["points"][str(rung)][f"{budget:g}"]:
                        values[r, p, b, s] = point[0], point[2]
    plans = tuple(Plan.from_dict(row["plan"]) for row in firsts)
    first = [cost_table(plan, NUM_CLASSES).cost_E[0] for plan in plans]
    return Table(
        space=truth.space, plans=plans, rungs=rungs, budgets=truth.budgets, values_RPBS2=values,
        full_cost_P=np.array([row["full_gflops"] for row in firsts]),
        first_cost_P=np.array(first),
    )  # fmt: skip


def network_price(table: Table) -> float:
    """Return the cost of training one-shot networks; each epoch runs the whole grid, whatever cells are trained."""
    chosen = recipe(*SETTINGS)
    trunks = [shape.finest_trunk(table.space) for shape in Shape.all_in(table.space)]
    whole = sum(cost_table(trunk, NUM_CLASSES).cost_E[-1] for trunk in trunks)
    epochs = chosen.one_shot.training(chosen.training).epochs
    return float(epochs / table.rungs[-1] * whole / table.full_cost_P.mean())


class Network:
    """A one-shot network's promises, its own weights, and the plans finished from them, as they were measured."""

    def __init__(self, table: Table, row: dict[str, Any], finished: list[dict[str, Any]]) -> None:
        self.seed, names = row["seed"], [plan.plan_id for plan in table.plans]
        own = [row["plans"][name] for name in names]
        self.promised_PB = np.array([plan["promised"] for plan in own], dtype=float)
        self.calibration_PB = np.nan_to_num(
            np.array([plan["calibration"] for plan in own], dtype=float), nan=-1
        )
        self.test_PB = np.nan_to_num(np.array([plan["test"] for plan in own], dtype=float))
        self.space_B = np.array([row["space"][split] for split in ("calibration", "test")])
        ranked = [name for name in to_finish(row) if any(one["plan_id"] == name for one in finished)]
        by_name = {one["plan_id"]: one for one in finished}
        self.finished = []
        for name in ranked:
            ((epochs, points),) = by_name[name]["points"].items()
            pairs = [(point[0], point[2]) if point else (-1.0, 0.0) for point in points.values()]
            self.finished.append((table.price(names.index(name), int(epochs)), *np.array(pairs).T))

    def race(self, draw: Draw, price: float, *, own: bool, finish: int, space: bool = False) -> Found:
        """Return what a search finds: with its ``own`` weights, ``finish`` plans, then plans trained alone."""
        found = Found(len(draw.table.budgets))
        found.add(price, np.full(len(draw.table.budgets), -1.0), np.zeros(len(draw.table.budgets)))
        if own:
            own_BP = (*self.space_B,) if space else _best(self.calibration_PB, self.test_PB)
            found.add(0.0, *own_BP)
        for one in self.finished[:finish]:
            found.add(*one)
        for plan in greedy_order(self.promised_PB):
            found.add(
                draw.table.price(plan, draw.table.rungs[-1]),
                draw.calibration_RPB[-1, plan],
                draw.test_RPB[-1, plan],
            )
        return found


def _best(
    calibration_PB: NDArray[np.float64], test_PB: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    chosen_B, every = calibration_PB.argmax(axis=0), np.arange(calibration_PB.shape[1])
    return calibration_PB[chosen_B, every], test_PB[chosen_B, every]


ONE_SHOT = {
    "one-shot, trained alone": {"own": False, "finish": 0},
    "one-shot, own weights": {"own": True, "finish": 0},
    "one-shot, own weights of the whole space": {"own": True, "finish": 0, "space": True},
    "one-shot, own weights, then two finished": {"own": True, "finish": 2},
    "one-shot, own weights, then four finished": {"own": True, "finish": 4},
}
"""With and without the network's own weights; finished are plans trained some epochs from them. What follows is trained
alone, all epochs, in the order of what the network promises."""

Method = Callable[[Draw, int], Iterator[Training]]
ETAS = (2.0, 3.0)


def _optuna(make: Callable[[int], Any], **options: Any) -> Method:
    return lambda draw, seed: sampled(draw, make, seed, **options)


def _halving(**options: Any) -> Method:
    return lambda draw, seed: halved(draw, seed, **options)


def _gp(**options: Any) -> Method:
    return lambda draw, seed: modelled(draw, seed, **options)


def _shuffled(draw: Draw, seed: int, *, coverage: bool) -> Iterator[Training]:
    noise_P = np.random.default_rng(seed).random(len(draw.table.plans))
    return in_order(
        draw, np.lexsort([noise_P, -draw.table.coverage_P() if coverage else 0 * noise_P]).tolist()
    )


def _tpe(seed: int) -> Any:
    return optuna.samplers.TPESampler(multivariate=True, group=True, seed=seed)


def _nsga(seed: int) -> Any:
    return optuna.samplers.NSGAIISampler(population_size=10, seed=seed)


def _gp_sampler(seed: int) -> Any:
    return optuna.samplers.GPSampler(seed=seed, n_startup_trials=4)


RIVALS: dict[str, tuple[int, dict[str, Method]]] = {
    "random": (100, {"": lambda draw, seed: _shuffled(draw, seed, coverage=False)}),
    "random, most budgets first": (100, {"": lambda draw, seed: _shuffled(draw, seed, coverage=True)}),
    "TPE": (
        20,
        {f"{o}, one of {n}": _optuna(_tpe, objective=o, proposals=n) for o in ("point", "area") for n in (1, 8)},
    ),
    "NSGA-II": (
        20,
        {
            f"{o}, one of {n}": _optuna(_nsga, objective=o, proposals=n, foreign=False)
            for o in ("point", "area") for n in (1, 8)
        },
    ),
    "GPSampler with constraint": (20, {o: _optuna(_gp_sampler, objective=o) for o in ("turns", "constrained")}),
    "GP on plan features": (
        100,
        {
            f"start {start}, {'per price' if per else 'gain alone'}": _gp(start=start, per_price=per)
            for start in (2, 4) for per in (True, False)
        },
    ),
    "ASHA": (100, {f"eta {eta:g}": _halving(eta=eta) for eta in ETAS}),
    "ASHA, knowing GFLOPs": (
        100,
        {
            f"eta {eta:g}, new {fresh}, by {rank}": _halving(eta=eta, fresh=fresh, rank=rank)
            for eta in ETAS for fresh in ("random", "coverage") for rank in ("area", "add")
        },
    ),
    "MO-ASHA": (
        100,
        {
            f"new {fresh}, by {rank}": _halving(fresh=fresh, rank=rank)
            for fresh in ("random", "coverage") for rank in ("epsilon-net", "crowding")
        },
    ),
}  # fmt: skip
"""By name: how many seeds, and the variants."""


def figures(runs: list[Found], target: float) -> dict[str, Any]:
    """Return costs and shares over runs."""
    result: dict[str, Any] = {}
    for share in SHARES:
        name, costs = f"to_{100 * share:.0f}", [found.cost_of(share * target) for found in runs]
        result |= {name: round(float(np.mean(costs)), 2), f"{name}_low_high": _low_high(costs)}
    result["share_at_cost"] = {}
    for cost in COSTS:
        shares = [found.at(cost) / target for found in runs]
        low, high = _low_high(shares, 3)
        result["share_at_cost"][str(cost)] = {
            "mean": round(float(np.mean(shares)), 3),
            "low": low,
            "high": high,
        }
    return result


def _low_high(values: list[float], digits: int = 2) -> list[float]:
    return [round(float(value), digits) for value in np.percentile(values, [10, 90])]


def rivals(table: Table, target: float) -> dict[str, dict[str, Any]]:
    """Return the figures of each rival's best variant."""

    def enough(found: Found) -> bool:
        return found.values[-1] >= SHARES[-1] * target and found.spent[-1] >= COSTS[-1]

    results: dict[str, dict[str, Any]] = {}
    for name, (seeds, variants) in RIVALS.items():
        draws = [table.drawn(np.random.default_rng(seed)) for seed in range(seeds)]
        tried = {
            variant: figures([replay(draw, method(draw, k), enough) for k, draw in enumerate(draws)], target)
            for variant, method in variants.items()
        }
        best = min(tried, key=lambda variant: tried[variant]["to_99"])
        results[name] = {**tried[best], "seeds": seeds}
        if len(tried) > 1:
            results[name] |= {
                "variant": best,
                "variants": {variant: [own["to_95"], own["to_99"]] for variant, own in tried.items()},
            }
        print(f"  {name:28s} {results[name]['to_95']:5.2f} {results[name]['to_99']:6.2f}  {best}", flush=True)
    return results


def one_shot(table: Table, networks: list[Network], target: float) -> dict[str, dict[str, Any]]:
    """Return the figures of one-shot search; runs of a network are taken together before networks are compared."""
    results = {}
    price = network_price(table)
    for name, options in ONE_SHOT.items():
        having = [network for network in networks if len(network.finished) >= options["finish"]]
        by_network = [
            [
                network.race(table.drawn(np.random.default_rng(seed)), price, **options)
                for seed in range(DRAWS)
            ]
            for network in having
        ]
        if not by_network:
            continue
        own = figures([found for runs in by_network for found in runs], target)
        for share in SHARES:
            costs = [np.mean([found.cost_of(share * target) for found in runs]) for runs in by_network]
            own[f"to_{100 * share:.0f}_by_network"] = [round(float(cost), 2) for cost in costs]
        results[name] = own | {"networks": len(having)}
        print(f"  {name:40s} {own['to_95']:5.2f} {own['to_99']:6.2f}", flush=True)
    return results


def ranking(table: Table, networks: list[Network]) -> dict[str, Any]:
    """Return how well promised orders agree with the truth, the mean over both trainings of each plan."""
    test_PBS = table.values_RPBS2[-1, ..., 1]
    known_PB = table.values_RPBS2[-1, ..., 0, 0] >= 0
    true_PB = np.where(known_PB, test_PBS.mean(axis=2), np.nan)
    taus = [mean_tau(network.promised_PB, true_PB) for network in networks]
    area_P = np.nan_to_num(true_PB).mean(axis=1)
    firsts = [int(np.nan_to_num(network.promised_PB).mean(axis=1).argmax()) for network in networks]
    both = [np.where(known_PB, test_PBS[..., s], np.nan) for s in (0, 1)]
    together = mean_tau(np.mean([network.promised_PB for network in networks], axis=0), true_PB)
    return {
        "kendall_tau_mean": round(float(np.mean(taus)), 3),
        "kendall_tau_sd": round(float(np.std(taus, ddof=1)), 3) if len(taus) > 1 else None,
        "kendall_tau": [round(tau, 3) for tau in taus],
        "kendall_tau_together": round(together, 3),
        "tau_between_seeds": round(mean_tau(*both), 3),
        "rank_of_first": [int((area_P > area_P[first]).sum()) + 1 for first in firsts],
        "best_alone_share": round(float(area_P.max()) / table.target(), 3),
    }


def markdown(result: dict[str, Any]) -> list[str]:
    """Return the table of a guide: costs, and shares of the hypervolume in percent."""
    lines = [
        f"| | 95% | 99% | {' | '.join(f'at {cost}' for cost in COSTS)} |",
        "|---|---|---|" + "---|" * len(COSTS),
    ]
    for name, own in (result["one_shot"] | result["rivals"]).items():
        cells = []
        for key in ("to_95", "to_99"):
            low, high = own[f"{key}_low_high"]
            cells.append(f"{own[key]:.1f} ({low:.1f} to {high:.1f})")
        for share in result["share_at_cost"][name].values():
            mean, low, high = (100 * share[key] for key in ("mean", "low", "high"))
            cells.append(f"{mean:.1f} ({low:.0f} to {high:.0f})" if mean else "0")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def switching(folder: Path) -> dict[str, Any]:
    """Return how many milliseconds a bundle takes to be at another budget: the first time for a plan, and later."""
    network = dynsearch.load(folder)
    costs = sorted({point.cost for point in Budgets.load(folder / BUNDLE_BUDGETS).points})
    first, later = [], []
    for times, shift in (
        (first, 0.0),
        (later, 1e-7),
    ):  # A little more, for answers to the same budget are kept.
        for cost in costs:
            started = time.perf_counter()
            network.at(budget=cost * (1 + shift) + 1e-12)
            times.append(1000 * (time.perf_counter() - started))
    return {
        "switch_ms": round(float(np.median(later)), 4),
        "switch_ms_highest": round(max(later), 4),
        "switch_ms_first": round(max(first), 2),
        "switch_points": len(costs),
    }


def main() -> None:
    """Compare, replay, and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--truth", choices=list(TRUTHS), default=ORDERS.name)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--networks", type=Path)
    parser.add_argument("--finished", type=Path)
    parser.add_argument("--only-ranking", action="store_true", help="replay no search")
    parser.add_argument("--bundle", type=Path, help="time a bundle of all budgets too")
    parser.add_argument("--output", type=Path, help="write the figures to this JSON file")
    arguments = parser.parse_args()
    truth = TRUTHS[arguments.truth]
    table = read_table(arguments.table or truth.file("ground_truth"), truth)
    finished = rows_of(arguments.finished or truth.file("finished"))
    networks = [
        Network(table, row, [one for one in finished if one["seed"] == row["seed"]])
        for row in rows_of(arguments.networks or truth.file("networks"))
    ]
    target = table.target()
    own = [float(_best(n.calibration_PB, n.test_PB)[1].mean()) / target for n in networks]
    result: dict[str, Any] = {
        "num_networks": len(networks),
        "num_plans": len(table.plans),
        **ranking(table, networks),
        "target": round(target, 4),
        "network_price": round(network_price(table), 3),
        "own_share_mean": round(float(np.mean(own)), 4),
        "own_share": [round(share, 4) for share in own],
        "own_share_whole_space": [round(float(n.space_B[1].mean()) / target, 4) for n in networks],
    }
    if arguments.bundle is not None:
        result |= switching(arguments.bundle)
    print(json.dumps(result, indent=1), flush=True)
    if not arguments.only_ranking:
        ours, theirs = one_shot(table, networks, target), rivals(table, target)
        shares = {name: own.pop("share_at_cost") for name, own in (ours | theirs).items()}
        best = ours["one-shot, own weights, then two finished"]
        result |= {"to_95": best["to_95"], "to_99": best["to_99"], "one_shot": ours, "rivals": theirs}
        result["share_at_cost"] = shares
        print("\n".join(markdown(result)), flush=True)
    if arguments.output is not None:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
