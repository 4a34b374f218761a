"""One-shot networks of the ground truth's space, what each promises, and what it is worth as it is.

    OMP_NUM_THREADS=1 python benchmarks/search_networks.py --folder DIR [--truth sizes] [--networks 10] [--finish 2]

Needs the table of benchmarks/search_ground_truth.py. Each network (one for each size of images) is trained with a seed
of its own on the same space and the same training videos, 16 epochs, distilled. A JSON line for each seed goes into
benchmarks/results/search_networks.jsonl (of --truth sizes, search_networks_2.jsonl): for every plan of the table its
top-1 under each budget as promised (cross-fitted on calibration), and with the network's own weights (chosen on
calibration, measured there and on test); and the same for the best of the whole space. Then plans are finished, trained
6 epochs from its weights: those which together keep most of what is promised at the upper half of the budgets. Test
chooses nothing. Interrupted, it goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from search_ground_truth import measure, points_under, recipe
from search_replay import greedy_order
from search_truths import ORDERS, TRUTHS, Truth

from dynsearch.families.grid.choices import sample_trunk, trunk_choices
from dynsearch.frontier.placements import search_placements
from dynsearch.plan import Plan
from dynsearch.scores.score_grid import ScoreGrid
from dynsearch.search.one_shot.library import Library
from dynsearch.search.one_shot.scoring import fill_grid, grid_steps
from dynsearch.search.one_shot.screening_record import Replay
from dynsearch.search.one_shot.training import trunk_of
from dynsearch.study.predictions import expected_top1
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.source import open_clips
from dynsearch.training.device import pick_device
from dynsearch.training.source import DatasetClips

FINISH_EPOCHS = 6
SETTINGS = ("one_shot.epochs=16", "one_shot.distil=true")


class Printed:
    """Prints what the one-shot library does."""

    def noted(self, line: str) -> None:
        """Print it."""
        print(f"  {line}", flush=True)

    def staged(self, stage: str, place: int, total: int) -> None:
        """Nothing."""

    def advanced(self, name: str, exits: float, epochs: int, report: Any) -> None:
        """Print how far training is, once an epoch."""
        if hasattr(report, "seconds"):
            print(f"  {name}: {report}", flush=True)


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file with one JSON object a line, none where it is not there."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def append(path: Path, row: dict[str, Any]) -> None:
    """Add a row."""
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def network_row(
    truth: Truth, plans: Sequence[Plan], library: Library, source: DatasetClips
) -> dict[str, Any]:
    """Return what ``library``'s network promises of each plan, and what its own weights reach."""
    grids, space = {}, truth.space
    for params in trunk_choices(space) or []:
        trunk = sample_trunk(space, Replay(params))
        grids[trunk] = library.grid(trunk), test_grid(trunk, library, source)
    by_plan = {}
    for plan in plans:
        calibration, test = (
            grid.exit_scores(plan.exits, plan_id=plan.plan_id) for grid in grids[trunk_of(plan, space)]
        )
        points = points_under(calibration, test, truth.budgets).values()
        by_plan[plan.plan_id] = {
            "promised": [
                None if np.isnan(x) else round(x, 4) for x in expected_top1(calibration, truth.budgets)
            ],
            "calibration": [point and round(point[0], 4) for point in points],
            "test": [point and round(point[2], 4) for point in points],
        }
    return {"seed": library.seed, "plans": by_plan, "space": whole_space(truth, list(grids.values()))}


def test_grid(trunk: Plan, library: Library, source: DatasetClips) -> ScoreGrid:
    """Return the scores of all cells on test, with the statistics of the trunk's order."""
    folder = library.folder / "test" / trunk.plan_id
    rules = library.space.exits
    writer = ScoreGrid.create(
        folder, num_classes=source.num_classes, labels_N=source.labels("test"),
        steps=grid_steps(trunk, source.num_classes, rules.min_depth), num_sets=trunk.num_sets,
        num_depths=rules.max_depth - rules.min_depth + 1, first_depth=rules.min_depth,
        video_ids_N=np.asarray(source.video_ids("test")), split="test", order=str(trunk.frame_order),
        source=f"{library.seed} {trunk.plan_id}",
    )  # fmt: skip
    if writer.num_done < writer.num_videos:
        loader = source.loader("test", trunk, library.config, training=False, seed=library.seed)
        fill_grid(writer, library.prepared(trunk), loader, pick_device())
    return ScoreGrid.load(folder)


def whole_space(truth: Truth, grids: Sequence[tuple[ScoreGrid, ScoreGrid]]) -> dict[str, list[float]]:
    """Return top-1 under each budget of the best plan of all with the network's own weights, chosen on calibration."""
    rules = truth.space.exits
    best = {budget: (-1.0, 0.0) for budget in truth.budgets}
    for calibration, test in grids:
        found = search_placements(
            calibration, min_exits=rules.min_exits, max_exits=rules.max_exits, min_depth=rules.min_depth,
            max_depth=rules.max_depth, last=rules.last, num_folds=None,
        )  # fmt: skip
        for budget in truth.budgets:
            if found[0].cost <= budget:
                point = found.best_under(budget)
                claimed = point.chosen.evaluate(test.exit_scores(point.placement)).top1
                best[budget] = max(best[budget], (point.top1, claimed), key=lambda pair: pair[0])
    return {
        "calibration": [round(best[budget][0], 4) for budget in truth.budgets],
        "test": [round(best[budget][1], 4) for budget in truth.budgets],
    }


def to_finish(row: dict[str, Any]) -> list[str]:
    """Return the plans of a network's row in the order in which they are finished, by the upper half of budgets."""
    promised = np.array([own["promised"] for own in row["plans"].values()], dtype=float)
    names = list(row["plans"])
    return [names[p] for p in greedy_order(promised[:, promised.shape[1] // 2 :])]


def main() -> None:
    """Train and score what is missing, then finish plans."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--truth", choices=list(TRUTHS), default=ORDERS.name)
    parser.add_argument("--folder", type=Path, required=True, help="for the networks, one folder each")
    parser.add_argument("--networks", type=int, default=10)
    parser.add_argument("--finish", type=int, default=2, help="plans of each network that are finished")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="one_shot.FIELD=VALUE")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--finished", type=Path)
    arguments = parser.parse_args()
    truth = TRUTHS[arguments.truth]
    output = arguments.output or truth.file("networks")
    finished = arguments.finished or truth.file("finished")
    chosen: StudyRecipe = recipe(*SETTINGS, *arguments.settings)
    source: DatasetClips = open_clips(chosen)
    plans = {row["plan_id"]: Plan.from_dict(row["plan"]) for row in rows_of(truth.file("ground_truth"))}
    for seed in range(arguments.networks):
        if seed not in {row["seed"] for row in rows_of(output)}:
            folder = arguments.folder / str(seed)
            library = Library(folder, truth.space, source, chosen.one_shot, chosen.training, seed, Printed())
            append(output, network_row(truth, list(plans.values()), library, source))
    done = {(row["seed"], row["plan_id"]) for row in rows_of(finished)}
    for row in rows_of(output)[: arguments.networks]:
        for name in to_finish(row)[: arguments.finish]:
            if (row["seed"], name) not in done:
                start = arguments.folder / str(row["seed"])
                own = measure(plans[name], source, row["seed"], truth, epochs=FINISH_EPOCHS, start=start)
                append(finished, own)
                print(f"{name} from network {row['seed']}: {own['seconds']} s", flush=True)


if __name__ == "__main__":
    main()
