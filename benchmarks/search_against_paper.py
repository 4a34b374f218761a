"""Searched plans against the paper's hand-made ones, at equal GFLOPs on test.

    OMP_NUM_THREADS=1 python benchmarks/search_against_paper.py [--plans 3] [--folder DIR] [--output FILE.json]

The space is that of search_ground_truth.py, and so are data, epochs and starting weights: every plan is trained alone
from scratch, the searched ones too, so that only the plans differ. Thresholds are solved on calibration for each
budget; test top-1 is what is compared, with a 95% interval of the difference of two shares. Interrupted, it goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from search_ground_truth import EPOCHS, measure, recipe  # the benchmarks beside this one
from search_networks import Printed
from search_truths import ORDERS

from dynsearch.families.grid.choices import sample_trunk, trunk_choices
from dynsearch.frontier.placements import rank_plans, search_placements
from dynsearch.plan import ExitPlacement, FrameOrder, Plan
from dynsearch.search.one_shot.library import Library
from dynsearch.search.one_shot.screening_record import Replay
from dynsearch.search.one_shot.shape import Shape
from dynsearch.study.source import open_clips

HAND_MADE = {
    "depth-wise": ("sequential", "8x2 8x3 8x4 8x5"),
    "input-wise": ("paper", "2x5 4x5 6x5 8x5"),
    "joint": ("paper", "2x2 3x3 4x4 4x5 8x5"),
}
"""The paper's three ways to place exits (its Fig. 2), on eight sets and five stages; joint with Eq. 4's order."""


def hand_made() -> dict[str, Plan]:
    """Return the paper's plans."""
    (grid,) = ORDERS.space.frames
    shape = Shape(
        ORDERS.space.backbones[0], grid.num_frames, ORDERS.space.image_sizes[0], ORDERS.space.heads[0]
    )
    trunk = shape.finest_trunk(ORDERS.space)
    return {
        name: replace(trunk, frame_order=FrameOrder.named(order, 8), exits=ExitPlacement.of(*exits.split()))
        for name, (order, exits) in HAND_MADE.items()
    }


def searched(library: Library, num_plans: int) -> dict[str, Plan]:
    """Return the plans that the one-shot network finds most promising in the whole space."""
    rules = ORDERS.space.exits
    found = {}
    for params in trunk_choices(ORDERS.space) or []:
        trunk = sample_trunk(ORDERS.space, Replay(params))
        scores = library.grid(trunk)
        placements = search_placements(
            scores, min_exits=rules.min_exits, max_exits=rules.max_exits, min_depth=rules.min_depth,
            max_depth=rules.max_depth, last=rules.last, num_folds=None,
        )  # fmt: skip
        found[trunk] = (scores, placements)
    ranked = rank_plans(found, num_plans, budget=ORDERS.budgets[-1])
    return {
        f"searched {k}": replace(plan.key, exits=plan.placement) for k, plan in enumerate(ranked, start=1)
    }


def at_budget(rows: dict[str, dict[str, Any]], kind: str, budget: float) -> tuple[str, list[float]] | None:
    """Return the plan of ``kind`` that is best on calibration within ``budget``, with its point."""
    points = {
        name: row["points"][str(EPOCHS)][f"{budget:g}"]
        for name, row in rows.items()
        if name.startswith("searched") == (kind == "searched")
    }
    inside = {name: point for name, point in points.items() if point is not None}
    return max(inside.items(), key=lambda item: item[1][0]) if inside else None


def compare(rows: dict[str, dict[str, Any]], num_videos: int) -> list[dict[str, Any]]:
    """Return, for each budget both keep, searched against hand-made on test."""
    lines = []
    for budget in ORDERS.budgets:
        ours, theirs = (at_budget(rows, kind, budget) for kind in ("searched", "hand-made"))
        if ours is None or theirs is None:
            continue
        a, b = ours[1][2], theirs[1][2]
        half = 1.96 * math.sqrt((a * (1 - a) + b * (1 - b)) / num_videos)
        verdict = "better" if a - b > half else "worse" if b - a > half else "within the interval"
        lines.append(
            {"gflops": budget, "searched": a, "hand_made": b, "low": a - b - half, "high": a - b + half,
             "plans": [ours[0], theirs[0]], "verdict": verdict}
        )  # fmt: skip
        print(f"  {budget:.3f} GFLOPs: {100 * a:.1f}% against {100 * b:.1f}% ({theirs[0]}), {verdict}")
    return lines


def main() -> None:
    """Train what is missing, compare, and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plans", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/dynsearch-search-efficiency"))
    parser.add_argument("--set", dest="settings", action="append", default=[], help="one_shot.FIELD=VALUE")
    parser.add_argument("--output", type=Path, help="write the figures to this JSON file")
    arguments = parser.parse_args()
    chosen = recipe(*arguments.settings)
    source = open_clips(chosen)
    library = Library(
        arguments.folder, ORDERS.space, source, chosen.one_shot, chosen.training, chosen.seed, Printed()
    )
    table = arguments.folder / "alone.jsonl"
    rows = {}
    done = (
        {row["plan_id"]: row for row in map(json.loads, table.read_text().splitlines())}
        if table.is_file()
        else {}
    )
    for name, plan in (hand_made() | searched(library, arguments.plans)).items():
        if plan.plan_id not in done:
            done[plan.plan_id] = measure(plan, source, seed=0)
            with table.open("a") as file:
                file.write(json.dumps(done[plan.plan_id]) + "\n")
        rows[name] = done[plan.plan_id]
        print(f"{name}: {plan}", flush=True)
    lines = compare(rows, len(source.video_ids("test")))
    result = {"plans": {name: row["plan"] for name, row in rows.items()}, "budgets": lines}
    if arguments.output is not None:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
