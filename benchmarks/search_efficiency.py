"""How well one-shot scores order plans, and what a search costs, against plans that were trained alone.

    OMP_NUM_THREADS=1 python benchmarks/search_efficiency.py [--table benchmarks/results/search_ground_truth.jsonl]

Needs the table of benchmarks/search_ground_truth.py. Trains one one-shot network on the same space and the same
training videos, predicts every plan of the table from its scores on calibration, and compares the order with the
truth: the plans' own test top-1 at equal budgets. Then search methods are replayed against the table (see
search_replay.py): how many trainings until 95% of its hypervolume. Interrupted, it goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))

from search_ground_truth import BUDGETS, SPACE, TABLE, recipe  # the benchmarks beside this one
from search_replay import Table, asha_cost, sampled_order, trainings_to_reach

from dynsearch.families import cost_table
from dynsearch.plan import Plan
from dynsearch.search.one_shot.library import Library
from dynsearch.search.one_shot.shape import Shape
from dynsearch.search.one_shot.strategy import trunk_of
from dynsearch.study.predictions import expected_top1, mean_tau, tau_by_budget
from dynsearch.study.recipe import OneShotConfig
from dynsearch.study.source import open_clips
from dynsearch.training.source import DatasetClips


class Printed:
    """Prints what the one-shot library does."""

    def noted(self, line: str) -> None:
        """Print it."""
        print(f"  {line}", flush=True)

    def staged(self, stage: str, place: int, total: int) -> None:
        """Nothing."""

    def advanced(self, name: str, exits: float, epochs: int, report: object) -> None:
        """Print how far training is."""
        print(f"  {name}: {report}", flush=True)


def read_table(path: Path) -> tuple[Table, NDArray[np.float64]]:
    """Return the table, and the test top-1 by plan, budget and seed at the end, NaN where no exit is within."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    by_plan: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_plan.setdefault(row["plan_id"], []).append(row)
    num_seeds = max(map(len, by_plan.values()))
    rungs = tuple(sorted(map(int, rows[0]["points"])))
    values_RPBS = np.full((len(rungs), len(by_plan), len(BUDGETS), num_seeds, 2), np.nan)
    for p, own in enumerate(by_plan.values()):
        for s, row in enumerate(own):
            for r, rung in enumerate(rungs):
                for b, budget in enumerate(BUDGETS):
                    if point := row["points"][str(rung)][f"{budget:g}"]:
                        values_RPBS[r, p, b, s] = point[2], point[0]
    firsts = [own[0] for own in by_plan.values()]
    mean = _mean_over_seeds(values_RPBS)
    table = Table(
        space=SPACE,
        plans=tuple(Plan.from_dict(row["plan"]) for row in firsts),
        rungs=rungs,
        test_RPB=np.nan_to_num(mean[..., 0]),
        calibration_RPB=np.nan_to_num(mean[..., 1]),
        full_cost_P=np.array([row["full_gflops"] for row in firsts]),
    )
    return table, values_RPBS[-1, ..., 0]


def _mean_over_seeds(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the seeds there are, NaN where there is none."""
    known = np.isfinite(values)
    total = np.where(known, values, 0).sum(axis=3)
    return np.where(known.any(axis=3), total / np.maximum(known.sum(axis=3), 1), np.nan)


def predictions(table: Table, library: Library) -> NDArray[np.float64]:
    """Return (P, B) the top-1 that the one-shot network promises, cross-fitted on calibration."""
    predicted = []
    for plan in table.plans:
        scores = library.grid(trunk_of(plan, SPACE)).exit_scores(plan.exits, plan_id=plan.plan_id)
        predicted.append(expected_top1(scores, BUDGETS))
    return np.array(predicted)


def one_shot_cost(table: Table, settings: OneShotConfig, num_classes: int) -> float:
    """Return the cost of training the one-shot network, as a multiple of training an average plan of the table.

    Counted in multiply-accumulates: each of its epochs runs the whole grid, whatever cells are trained.
    """
    trunk = Shape.of(table.plans[0]).finest_trunk(SPACE)
    whole = cost_table(trunk, num_classes).cost_E[-1]
    return (
        settings.training(recipe().training).epochs
        / table.rungs[-1]
        * whole
        / float(table.full_cost_P.mean())
    )


def ranking(table: Table, predicted_PB: NDArray[np.float64], true_PBS: NDArray[np.float64]) -> dict[str, Any]:
    """Return how well the predicted order agrees with the truth."""
    true_PB = np.where(table.test_RPB[-1] > 0, table.test_RPB[-1], np.nan)
    taus = tau_by_budget(predicted_PB, true_PB)
    result: dict[str, Any] = {
        "kendall_tau": mean_tau(predicted_PB, true_PB),
        "tau_by_budget": {
            f"{b:g}": None if np.isnan(t) else round(t, 3) for b, t in zip(BUDGETS, taus, strict=True)
        },
        "num_plans": len(table.plans),
    }
    area_P, promised_P = np.nan_to_num(true_PB).mean(axis=1), np.nan_to_num(predicted_PB).mean(axis=1)
    first = int(promised_P.argmax())
    result["first_ranked"] = {
        "exits": str(table.plans[first].exits),
        "frame_order": str(table.plans[first].frame_order),
        "area": area_P[first],
        "best_area": area_P.max(),
        "rank": int((area_P > area_P[first]).sum()) + 1,
    }
    both = np.isfinite(true_PBS).sum(axis=2) > 1
    if both.any():
        seeds_PS = np.nan_to_num(true_PBS[both.any(axis=1)]).mean(axis=1)
        noise = float((seeds_PS[:, 0] - seeds_PS[:, 1]).std() / np.sqrt(2))
        result["seed_noise_of_area"] = noise
        # The mean of two seeds has noise / sqrt(2), the difference of two such means noise.
        result["first_is_within_noise"] = bool(area_P.max() - area_P[first] <= 1.96 * noise)
        result["tau_between_seeds"] = mean_tau(true_PBS[..., 0], true_PBS[..., 1])
    return result


def greedy_order(predicted_PB: NDArray[np.float64]) -> list[int]:
    """Return the plans, each adding most predicted hypervolume to those before it."""
    values = np.nan_to_num(predicted_PB)
    left, order = list(range(len(values))), []
    best_B = np.zeros(values.shape[1])
    while left:
        # Ties, when nothing adds anything any more, are broken by the plans' own area.
        chosen = max(left, key=lambda p: (np.maximum(best_B, values[p]).mean().round(9), values[p].mean()))
        left.remove(chosen)
        order.append(chosen)
        best_B = np.maximum(best_B, values[chosen])
    return order


SAMPLERS: dict[str, tuple[Callable[[int], Any], bool, int]] = {
    "random": (lambda seed: optuna.samplers.RandomSampler(seed=seed), False, 100),
    "TPE": (lambda seed: optuna.samplers.TPESampler(multivariate=True, group=True, seed=seed), True, 30),
    "NSGA-II": (lambda seed: optuna.samplers.NSGAIISampler(population_size=10, seed=seed), False, 30),
    "GP": (lambda seed: optuna.samplers.GPSampler(seed=seed), True, 5),
}
"""By name: how it is made, whether it learns from foreign trials, and how many seeds are replayed."""


def rivals(table: Table, share: float) -> dict[str, dict[str, Any]]:
    """Return how many trainings each search method needs, over many seeds, with the better of two objectives."""
    results: dict[str, dict[str, Any]] = {}
    for name, (make, foreign, num_seeds) in SAMPLERS.items():
        by_objective = {
            objective: [
                trainings_to_reach(
                    table, sampled_order(table, make, seed, objective=objective, foreign=foreign), share
                )
                for seed in range(num_seeds)
            ]
            for objective in ("point", "area")
        }
        objective = min(by_objective, key=lambda key: np.mean(by_objective[key]))
        results[name] = _summary(by_objective[objective]) | {"objective": objective}
        print(f"  {name:8s} {results[name]}", flush=True)
    results["ASHA"] = _summary([asha_cost(table, seed, share) for seed in range(100)])
    print(f"  ASHA     {results['ASHA']}", flush=True)
    return results


def race(
    table: Table, predicted_PB: NDArray[np.float64], settings: OneShotConfig, num_classes: int, share: float
) -> dict[str, Any]:
    """Return what one-shot search and its rivals pay for ``share`` of the table's hypervolume."""
    results = rivals(table, share)
    network = one_shot_cost(table, settings, num_classes)
    trained = trainings_to_reach(table, greedy_order(predicted_PB), share)
    best = min(results, key=lambda name: results[name]["mean"])
    raced = {
        "share": share,
        "rivals": results,
        "ours": {"network": round(network, 2), "plans": trained, "total": round(network + trained, 2)},
        "best_rival": best,
        "epochs_ratio": results[best]["mean"] / (network + trained),
    }
    print(json.dumps({name: raced[name] for name in ("ours", "best_rival", "epochs_ratio")}, indent=1))
    return raced


def _summary(costs: list[float]) -> dict[str, Any]:
    low, high = np.percentile(costs, [10, 90])
    return {
        "mean": round(float(np.mean(costs)), 2),
        "p10": float(low),
        "p90": float(high),
        "seeds": len(costs),
    }


def main() -> None:
    """Train, predict, replay, and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/dynsearch-search-efficiency"))
    parser.add_argument("--set", dest="settings", action="append", default=[], help="one_shot.FIELD=VALUE")
    parser.add_argument("--share", type=float, default=0.95, help="of the table's hypervolume, to be reached")
    parser.add_argument("--only-ranking", action="store_true", help="replay no search")
    parser.add_argument("--output", type=Path, help="write the figures to this JSON file")
    arguments = parser.parse_args()
    table, true_PBS = read_table(arguments.table)
    chosen = recipe(*arguments.settings)
    source: DatasetClips = open_clips(chosen)
    library = Library(
        arguments.folder, SPACE, source, chosen.one_shot, chosen.training, chosen.seed, Printed()
    )
    predicted_PB = predictions(table, library)
    result = ranking(table, predicted_PB, true_PBS) | {"one_shot": chosen.one_shot.model_dump()}
    print(json.dumps(result, indent=1), flush=True)
    if not arguments.only_ranking:
        result |= race(table, predicted_PB, chosen.one_shot, source.num_classes, arguments.share)
    if arguments.output is not None:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
